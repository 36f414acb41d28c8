// Waits, before a restart, until the NVIDIA devices have released the memory of the last attempt's
// processes: the driver does that some time after they have exited, and a start into a full device
// fails at once. Asks ddp-devices again and again; where that says nothing, there is no wait.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/preflight/device_report.hpp"
#include "launcher/workers/workers.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ddp {

// Of the processes that a report names those of the last attempt, by device: the ones in `started`
// (pid -> global rank), and, where `pids_are_ours` (this is the machine's PID namespace, which the
// driver counts in), those that are no longer there. Whatever else has a device is someone else's.
// `exists` asks whether a process is alive.
std::vector<core::DeviceHold> holds_of(const DeviceReport& report,
                                       const std::map<int, int>& started, bool pids_are_ours,
                                       const std::function<bool(int pid)>& exists);

class DeviceWait final : public core::Observer {
 public:
  // `loop` and `workers` are borrowed. `program` is ddp-devices.
  DeviceWait(os::Loop& loop, Workers& workers, core::RankGroup ranks, std::string program,
             core::Publish publish);

  void run(const core::AwaitDevices& await);
  void give_up();  // publishes what is known
  void end();      // publishes nothing

  void on(const core::Event& event, core::TimePoint now) override {
    core::dispatch(*this, event, now);
  }
  void on(const core::Action&, core::TimePoint) override {}
  void apply(const core::GenerationBegan&, core::TimePoint) { started_.clear(); }
  void apply(const core::WorkerStarted& started, core::TimePoint);

 private:
  void ask();
  void answered(core::ExitStatus status);
  void finish();

  os::Loop& loop_;
  Workers& workers_;
  const core::RankGroup ranks_;
  const std::string program_;
  core::Publish publish_;
  std::map<int, int> started_;  // of the last attempt: pid -> global rank
  bool waiting_ = false;
  core::Generation generation_ = 0;
  core::TimePoint began_;
  os::ScopedFd output_;
  std::map<int, core::DeviceHold> holds_;  // by device, each that ever held memory in this wait
  std::unique_ptr<os::Timer> again_;
};

}  // namespace ddp

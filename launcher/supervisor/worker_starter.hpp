// Starts the workers of an attempt: their rendezvous port, what each finds at its start, and the
// delay or refusal that a fault asks for.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/faults/controller.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/os/port.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/error_files.hpp"
#include "launcher/workers/worker_environment.hpp"
#include "launcher/workers/workers.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ddp {

// Of the NOTIFY_SOCKET of each rank, whose local rank follows, in the run's private directory.
std::string notify_prefix(const std::string& private_dir);

class WorkerStarter {
 public:
  // References are borrowed. `run_dir` is the log directory of the run, or where there is none its
  // private directory; `private_dir` has the notification sockets. `ras_address`: NCCL_RAS_ADDR.
  WorkerStarter(os::Loop& loop, WorkerSpec spec, out::Router& router, Workers& workers,
                FaultController& faults, ErrorFiles& error_files, std::string run_dir,
                std::string private_dir, std::string ras_address, core::Publish publish);

  // Why the system refused what every start needs, an errno; 0: it did not.
  int refused() const { return refused_; }

  // An attempt begins. Chooses its port: the one asked for, or one that is reserved until end().
  // 0: there is none.
  std::uint16_t begin(core::Generation generation);
  void end() { reservation_.reset(); }

  // One at a time. Publishes WorkerDue at once, and WorkerStarted or SpawnFailed from the event
  // loop, so that a stop request is read between any two workers.
  void start(const core::SpawnWorker& spawn);
  // A start that is delayed fails instead.
  void cancel();

 private:
  using Outcome = std::variant<core::WorkerStarted, core::SpawnFailed>;
  Outcome start_now(const core::SpawnWorker& spawn, const SpawnChange& change);
  Outcome failed(const core::SpawnWorker& spawn, int error_number) const;
  os::SpawnRequest request(const core::SpawnWorker& spawn, const SpawnChange& change,
                           const std::optional<os::WindowSize>& terminal);
  NcclSettings nccl_settings(const core::SpawnWorker& spawn) const;
  void answer(Outcome outcome);

  os::Loop& loop_;
  const WorkerSpec spec_;
  out::Router& router_;
  Workers& workers_;
  FaultController& faults_;
  ErrorFiles& error_files_;
  std::string run_dir_;
  std::string private_dir_;
  std::string ras_address_;
  core::Publish publish_;
  std::unique_ptr<os::Timer> delay_;  // of a worker whose start a fault delays
  std::optional<core::SpawnWorker> delayed_;
  os::ScopedFd dev_null_;
  int refused_;
  std::optional<os::PortReservation> reservation_;
  std::uint16_t port_ = 0;
  int no_port_ = 0;  // why not
};

}  // namespace ddp

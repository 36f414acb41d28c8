// The faults of a run and the record of what came of them: joins the fault engine's decisions with
// the system calls that carry them out and with the event file.
//
// The supervisor forwards its news, whether or not there is a plan, and does what comes back. A
// strike is written to the event file before it is carried out, and both are over when the call
// that brought the news returns: a worker whose step set it off gets its BARRIER=1 answered only
// then. Without faults nothing is armed and nothing but the record is kept.
//
// Undone: at the end of its time ("for"); at the teardown (stop, slow, block-output); with the
// generation (port-taken); everything else lives in the struck process and goes with it, whoever
// kills the launcher (launcher/os/fault_effects.hpp).
#pragma once

#include "common/notify_message.hpp"
#include "launcher/core/record/run_record.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/faults/injector.hpp"
#include "launcher/faults/options.hpp"
#include "launcher/output/options.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp {

class FaultController {
 public:
  struct Launch {
    core::RankGroup ranks;
    const FaultOptions& faults;
    const OutputOptions& output;
  };
  // All of it must outlive the controller.
  FaultController(boost::asio::io_context& io, const Launch& launch, EventLog& events,
                  out::Router& router, WorkerSet& workers);
  ~FaultController();

  // --- news, in the order it comes

  void generation_began(core::Generation generation, std::uint16_t port);
  SpawnChange spawn_due(core::LocalRank local_rank);
  void started(core::LocalRank local_rank, int pid);
  void notified(core::LocalRank local_rank, const NotifyMessage& message);
  // Its pid may be another's from here on.
  void exited(core::LocalRank local_rank);
  void teardown_began();
  void generation_over(const core::Verdict& verdict);
  // The run is over with this exit code; the workers were given sockets in `run_dir`.
  void finished(int exit_code, const std::string& run_dir);

  // Whether a fault has stopped it: then `fg` after Ctrl-Z does not continue it.
  bool keeps_stopped(core::LocalRank local_rank) const;
  const core::RunRecord& record() const;
  // The fault behind the failure of the generation that is over, as it would be typed; empty: none.
  std::string behind_last_failure() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ddp

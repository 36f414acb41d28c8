// Tells what happens in a launch: to events.jsonl as data, and to the user in words. Decides
// nothing; the supervisor calls it where something happened, before it acts on it.
#pragma once

#include "launcher/core/group/action.hpp"
#include "launcher/core/hangs/straggler_watch.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/output/router.hpp"
#include "launcher/report/failure_message.hpp"
#include "launcher/report/options.hpp"
#include "launcher/report/shared_memory_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ddp {

class Reporter {
 public:
  // `router` is borrowed. Messages go through it, in order with the workers' lines.
  Reporter(LaunchFacts launch, out::Router& router) : launch_(std::move(launch)), router_(router) {}

  // Events go to events.jsonl in `log_dir` (D/<run_id>), which is there; empty: to none. A failure
  // is told, and no events are kept.
  void record_in(const std::string& log_dir);
  // A part of the output or of the logs, and why.
  void lost(const std::string& what);
  EventLog& events() { return events_; }

  void run_started();
  void generation_began(core::Generation generation);
  void worker_started(core::Generation generation, core::LocalRank rank, int pid);
  void spawn_failed(core::Generation generation, core::LocalRank rank,
                    const core::SpawnError& error);
  void group_running(core::Generation generation, std::uint16_t master_port);
  void worker_exited(core::Generation generation, core::LocalRank rank,
                     const core::ExitStatus& status, bool oom_killed);
  void hang_detected(core::Generation generation, const core::Hang& hang);
  // Where each rank of a hung group stands and what its process does.
  void ranks_seen(core::Generation generation, const core::Hang& hang);
  // What was done to find out (proc, signal, flight_recorder, on_hang), and what came of it.
  void hang_evidence(core::Generation generation, core::LocalRank rank, const std::string& what,
                     const std::string& file, const std::string& outcome);
  void straggler(core::Generation generation, const core::Straggler& straggler);
  // For the verdict: the blamed rank's stack, and a sentence on where the rest is.
  void hang_evidence_taken(std::vector<std::string> stack, std::string where);
  void teardown_began(core::Generation generation, const core::TeardownBegan& teardown);
  // A second into a teardown, why it began and for whom it waits. `interrupted`: by a SIGINT.
  void still_waiting(const core::Cause& cause, const std::vector<core::LocalRank>& waiting_for,
                     core::Nanoseconds left, bool interrupted);
  // What SIGKILL has not ended yet.
  void still_dying(const std::vector<core::Survivor>& remaining, core::Nanoseconds left);
  void teardown_escalated(core::Generation generation, const core::TeardownEscalated& escalated);
  // A second after the ranks have exited, what of theirs still runs and for how long it may.
  void still_lingering(const std::vector<core::Leftover>& running, core::Nanoseconds left);
  // `killed`: what the ranks had left running.
  void processes_gone(core::Generation generation, std::size_t survivors,
                      const std::vector<core::Leftover>& killed);
  void restart_given_up(const core::RestartGivenUp& given_up);
  void keeper_gone();
  // The verdict, for the reader in a hurry. `injected`: the fault behind the failure, as it is
  // typed (empty: none is), and whom else it ended.
  // `segments`: what the ranks left in /dev/shm, and what became of it.
  void generation_over(const core::GenerationOver& over, const std::string& injected,
                       const std::vector<core::LocalRank>& ended_alike,
                       const std::vector<ReportedSegment>& segments);
  void run_finished(int exit_code);

 private:
  void shared_memory_left(core::Generation generation,
                          const std::vector<ReportedSegment>& segments);
  std::int64_t global(core::LocalRank rank) const { return launch_.ranks.global(rank).value; }
  VerdictContext context() const;
  std::int64_t rank_field(std::optional<core::LocalRank> rank) const;

  const LaunchFacts launch_;
  out::Router& router_;
  EventLog events_;
  std::vector<std::string> stack_;  // of the present generation's hang
  std::string evidence_;
  std::string cause_time_;  // when the present generation's cause was seen, by the user's clock
};

}  // namespace ddp

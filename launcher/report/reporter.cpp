#include "launcher/report/reporter.hpp"

#include "common/notify_message.hpp"
#include "common/signal_name.hpp"
#include "launcher/base/log.hpp"
#include "launcher/core/group/exit_code.hpp"
#include "launcher/output/colour.hpp"
#include "launcher/report/exit_message.hpp"
#include "launcher/report/hang_message.hpp"
#include "launcher/report/stdin_hint.hpp"

#include <fmt/core.h>

#include <unistd.h>

#include <utility>

namespace ddp {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTailLines = 20;

std::int64_t number(std::size_t count) { return static_cast<std::int64_t>(count); }

}  // namespace

void Reporter::record_in(const std::string& log_dir) {
  events_ = EventLog(
      events_path(log_dir), [](const std::string& text) { log::write(log::Level::warn, text); },
      launch_.options.campaign_events);
}

void Reporter::lost(const std::string& what) {
  log::write(log::Level::warn, what);
  events_.write(Clock::now(), kLostEvent, {{"what", what}});
}

void Reporter::run_started() {
  events_.write(Clock::now(), "run_started",
                {{"run_id", launch_.run_id},
                 {"nproc", std::int64_t{launch_.ranks.nproc}},
                 {"nnodes", std::int64_t{launch_.ranks.nnodes}},
                 {"first_rank", std::int64_t{launch_.ranks.first_rank().value}}});
}

void Reporter::generation_began(core::Generation generation) {
  events_.write(Clock::now(), "generation_began", {{"gen", std::int64_t{generation}}});
}

void Reporter::worker_started(core::Generation generation, core::LocalRank rank, int pid) {
  events_.write(
      Clock::now(), "worker_started",
      {{"gen", std::int64_t{generation}}, {"rank", global(rank)}, {"pid", std::int64_t{pid}}});
}

void Reporter::spawn_failed(core::Generation generation, core::LocalRank rank,
                            const core::SpawnError& error) {
  events_.write(Clock::now(), "spawn_failed",
                {{"gen", std::int64_t{generation}},
                 {"rank", global(rank)},
                 {"errno", std::int64_t{error.error_number}}});
}

void Reporter::group_running(core::Generation generation, std::uint16_t master_port) {
  events_.write(Clock::now(), "group_running", {{"gen", std::int64_t{generation}}});
  log::write(log::Level::info, fmt::format("attempt {}: {} workers are started, MASTER_PORT {}",
                                           generation, launch_.ranks.nproc, master_port));
}

void Reporter::worker_exited(core::Generation generation, core::LocalRank rank,
                             const core::ExitStatus& status, bool oom_killed) {
  const auto* code = std::get_if<core::Exited>(&status);
  const auto* signaled = std::get_if<core::Signaled>(&status);
  events_.write(Clock::now(), "worker_exited",
                {{"gen", std::int64_t{generation}},
                 {"rank", global(rank)},
                 {code != nullptr ? "code" : "signal",
                  std::int64_t{code != nullptr ? code->code : signaled->signal}},
                 {"oom_killed", oom_killed}});
}

void Reporter::hang_detected(core::Generation generation, const core::Hang& hang) {
  cause_time_ = local_time(Clock::now());
  std::vector<core::LocalRank> behind;
  for (const auto& rank : hang.ranks) {
    if (rank.behind) behind.push_back(rank.local_rank);
  }
  events_.write(Clock::now(), "hang_detected",
                {{"gen", std::int64_t{generation}},
                 {"kind", std::string(core::name_of(hang.kind))},
                 {"limit_ns", std::int64_t{hang.limit.count()}},
                 {"behind", rank_list(behind, launch_.ranks.first_rank().value)}});
}

void Reporter::ranks_seen(core::Generation generation, const core::Hang& hang) {
  for (const auto& rank : hang.ranks) {
    events_.write(Clock::now(), "hang_rank",
                  {{"gen", std::int64_t{generation}},
                   {"rank", global(rank.local_rank)},
                   {"step", rank.step.value_or(-1)},
                   {"phase", rank.phase},
                   {"ready", rank.ready},
                   {"behind", rank.behind},
                   {"activity", std::string(core::name_of(rank.process.activity))},
                   {"state", std::string(1, rank.process.state)},
                   {"cores", rank.process.cores},
                   {"wait_channel", rank.process.wait_channel},
                   {"threads", std::int64_t{rank.process.threads}}});
  }
}

void Reporter::hang_evidence(core::Generation generation, core::LocalRank rank,
                             const std::string& what, const std::string& file,
                             const std::string& outcome) {
  events_.write(Clock::now(), "hang_evidence",
                {{"gen", std::int64_t{generation}},
                 {"rank", global(rank)},
                 {"what", what},
                 {"file", file},
                 {"outcome", outcome}});
}

void Reporter::straggler(core::Generation generation, const core::Straggler& straggler) {
  events_.write(Clock::now(), "straggler",
                {{"gen", std::int64_t{generation}},
                 {"rank", global(straggler.local_rank)},
                 {"own_ns", std::int64_t{straggler.own.count()}},
                 {"median_ns", std::int64_t{straggler.median.count()}},
                 {"factor", straggler.factor},
                 {"steps", std::int64_t{launch_.straggler_window}},
                 {"by", std::string(straggler.by_metric ? kBusySeconds : "arrival")}});
  router_.notice(
      straggler_text(straggler, launch_.straggler_window, launch_.ranks.first_rank().value));
}

void Reporter::hang_evidence_taken(std::vector<std::string> stack, std::string where) {
  stack_ = std::move(stack);
  evidence_ = std::move(where);
}

void Reporter::teardown_began(core::Generation generation, const core::TeardownBegan& teardown) {
  // Of a hang it is known already, and its evidence took a while.
  if (!std::holds_alternative<core::Hung>(teardown.cause)) cause_time_ = local_time(Clock::now());
  events_.write(Clock::now(), "teardown_began",
                {{"gen", std::int64_t{generation}},
                 {"rank", rank_field(core::root_cause_rank(teardown.cause))},
                 {"signal", std::int64_t{teardown.signal}},
                 {"waiting_for", number(teardown.waiting_for.size())}});
}

void Reporter::still_waiting(const core::Cause& cause,
                             const std::vector<core::LocalRank>& waiting_for,
                             core::Nanoseconds left, bool interrupted) {
  router_.notice(waiting_text(cause, waiting_for, left, interrupted, context()));
}

void Reporter::still_dying(const std::vector<core::Survivor>& remaining, core::Nanoseconds left) {
  if (!remaining.empty())
    router_.notice(dying_text(remaining, launch_.ranks.first_rank().value, left));
}

void Reporter::teardown_escalated(core::Generation generation,
                                  const core::TeardownEscalated& escalated) {
  events_.write(Clock::now(), "killed",
                {{"gen", std::int64_t{generation}},
                 {"count", number(escalated.waiting_for.size())},
                 {"by_request", escalated.by_request.has_value()}});
  if (escalated.by_request && !escalated.waiting_for.empty())
    router_.notice(
        fmt::format("ddp-launch: {}: killing {} at once\n", signal_name(*escalated.by_request),
                    ranks_text(escalated.waiting_for, launch_.ranks.first_rank().value)));
}

void Reporter::still_lingering(const std::vector<core::Leftover>& running, core::Nanoseconds left) {
  if (!running.empty())
    router_.notice(
        "ddp-launch: " + lingering_text(running, launch_.ranks.first_rank().value, left) + "\n");
}

void Reporter::processes_gone(core::Generation generation, std::size_t survivors,
                              const std::vector<core::Leftover>& killed) {
  for (const auto& one : killed) {
    events_.write(Clock::now(), "leftover_killed",
                  {{"gen", std::int64_t{generation}},
                   {"rank", one.local_rank < 0 ? -1 : global(one.local_rank)},
                   {"pid", std::int64_t{one.pid}},
                   {"command", one.command},
                   {"proof", std::string(core::name_of(one.proof))}});
  }
  events_.write(Clock::now(), "processes_gone",
                {{"gen", std::int64_t{generation}}, {"survivors", number(survivors)}});
}

void Reporter::restart_given_up(const core::RestartGivenUp& given_up) {
  if (given_up.by_request) {
    events_.write(Clock::now(), "stop_requested", {{"signal", std::int64_t{*given_up.by_request}}});
  } else {
    events_.write(Clock::now(), "time_up", {});
  }
  router_.notice(fmt::format("ddp-launch: {} while it waited to restart\n",
                             given_up.by_request ? "stopped by " + signal_name(*given_up.by_request)
                                                 : "the time of the run (--timeout) was up"));
}

void Reporter::keeper_gone() {
  events_.write(Clock::now(), "keeper_gone", {});
  router_.notice("ddp-launch: ddp-launch itself was killed, so the group is stopped\n");
}

void Reporter::shared_memory_left(core::Generation generation,
                                  const std::vector<ReportedSegment>& segments) {
  for (const auto& one : segments) {
    events_.write(Clock::now(), "shared_memory_left",
                  {{"gen", std::int64_t{generation}},
                   {"rank", rank_field(one.segment.rank)},
                   {"path", one.segment.path},
                   {"bytes", static_cast<std::int64_t>(one.segment.bytes)},
                   {"proof", std::string(core::name_of(one.segment.proof))},
                   {"removed", one.removed}});
  }
}

void Reporter::generation_over(const core::GenerationOver& over, const std::string& injected,
                               const std::vector<core::LocalRank>& ended_alike,
                               const std::vector<ReportedSegment>& segments) {
  shared_memory_left(over.verdict.generation, segments);
  const auto rank = over.verdict.cause ? core::root_cause_rank(*over.verdict.cause) : std::nullopt;
  events_.write(Clock::now(), "generation_ended",
                {{"gen", std::int64_t{over.verdict.generation}},
                 {"exit_code", std::int64_t{core::exit_code_of(over.verdict)}},
                 {"rank", rank_field(rank)}});
  events_.check();
  VerdictContext context = this->context();
  context.injected = injected;
  context.ended_alike = ended_alike;
  context.stack = std::exchange(stack_, {});
  context.evidence = std::exchange(evidence_, {});
  const auto shown = rank ? rank : raised_while_stopping(over.verdict);
  if (shown) context.tail = router_.tail(*shown, kTailLines);
  if (rank && rank != launch_.stdin_rank)
    context.hint = stdin_hint(context.tail, launch_.ranks.global(*rank).value);
  std::string text = verdict_text(over.verdict, context);
  for (const auto& line :
       shared_memory_lines(segments, launch_.clean_shm, launch_.ranks.first_rank().value))
    text += "ddp-launch: " + line + "\n";
  if (over.decision) text += decision_text(*over.decision, over.verdict, context);
  if (!text.empty()) router_.notice(text);
}

void Reporter::run_finished(int exit_code) {
  events_.write(Clock::now(), "run_finished", {{"exit_code", std::int64_t{exit_code}}});
  events_.check();
}

// What does not change from failure to failure, and when the present one was seen.
VerdictContext Reporter::context() const {
  VerdictContext context;
  context.first_rank = launch_.ranks.first_rank().value;
  context.max_restarts = launch_.max_restarts;
  context.program = launch_.program;
  context.local_time = cause_time_;
  context.colour = out::wants_colour(STDERR_FILENO);
  return context;
}

std::int64_t Reporter::rank_field(std::optional<core::LocalRank> rank) const {
  return rank ? global(*rank) : -1;
}

}  // namespace ddp

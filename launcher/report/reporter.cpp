// One function per event: longer than most files, and each part short.
#include "launcher/report/reporter.hpp"

#include "common/notify_message.hpp"
#include "common/signal_name.hpp"
#include "common/utf8.hpp"
#include "launcher/base/log.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/events/goodput_event.hpp"
#include "launcher/os/address.hpp"
#include "launcher/output/colour.hpp"
#include "launcher/report/check_message.hpp"
#include "launcher/report/device_wait_message.hpp"
#include "launcher/report/diagnosis_message.hpp"
#include "launcher/report/exit_message.hpp"
#include "launcher/report/goodput_message.hpp"
#include "launcher/report/hang_message.hpp"
#include "launcher/report/outer_error_file.hpp"
#include "launcher/report/plain_text.hpp"
#include "launcher/report/ras_message.hpp"
#include "launcher/report/run_result.hpp"
#include "launcher/report/shared_memory_message.hpp"
#include "launcher/report/stdin_hint.hpp"
#include "launcher/report/summary_json.hpp"

#include <fmt/core.h>

#include <unistd.h>

#include <utility>

namespace ddp {
namespace {

constexpr int kTailLines = 20;
constexpr std::size_t kLongestLine = 400;  // bytes, in events.jsonl
// Of each fault; the event file has all of them.
constexpr std::int64_t kReportedInjections = 10;

std::int64_t number(std::size_t count) { return static_cast<std::int64_t>(count); }

}  // namespace

void Reporter::record_in(const std::string& log_dir) {
  events_ = EventLog(
      events_path(log_dir), [](const std::string& text) { log::write(log::Level::warn, text); },
      launch_.options.campaign_events);
}

void Reporter::lost(const std::string& what) {
  log::write(log::Level::warn, what);
  events_.write(std::chrono::steady_clock::now(), kLostEvent, {{"what", what}});
}

void Reporter::apply(const core::StartRequested&, core::TimePoint now) {
  began_ = now;
  events_.write(now, "run_started",
                {{"run_id", launch_.run_id},
                 {"version", launch_.version},
                 {"host", os::host_name()},
                 {"command", launch_.command},
                 {"nproc", std::int64_t{launch_.ranks.nproc}},
                 {"nnodes", std::int64_t{launch_.ranks.nnodes}},
                 {"first_rank", std::int64_t{launch_.ranks.first_rank().value}}});
  for (const auto& finding : launch_.findings) {
    events_.write(now, "preflight",
                  {{"check", finding.check},
                   {"found", finding.found},
                   {"wanted", finding.wanted},
                   {"level", std::string(core::name_of(finding.level))}});
  }
}

void Reporter::apply(const core::CheckEnded& ended, core::TimePoint now) {
  events_.write(now, "check",
                {{"gen", std::int64_t{ended.generation}},
                 {"rank", global(ended.end.local_rank)},
                 {"outcome", check_outcome(ended.end)},
                 {"ended", check_end(ended.end)}});
  const std::string text = check_text(ended.end, launch_.ranks.first_rank());
  if (!text.empty()) notice(text);
}

void Reporter::apply(const core::ChecksGone& gone, core::TimePoint) {
  if (!gone.survivors.empty())
    notice(dying_text(gone.survivors, launch_.ranks.first_rank(), core::Nanoseconds::zero()));
}

void Reporter::apply(const core::DevicesReleased& released, core::TimePoint now) {
  for (const auto& hold : released.holds) {
    events_.write(now, "device_wait",
                  {{"gen", std::int64_t{released.generation}},
                   {"device", std::int64_t{hold.device}},
                   {"holders", hold.holders},
                   {"bytes", static_cast<std::int64_t>(hold.bytes)},
                   {"waited_ns", std::int64_t{hold.waited.count()}},
                   {"released", hold.released}});
    notice(device_wait_text(hold, released.generation));
  }
}

void Reporter::apply(const core::ChecksStop& stop, core::TimePoint now) {
  if (stop.why == core::ChecksStop::Why::request) {
    events_.write(now, "stop_requested", {{"signal", std::int64_t{stop.signal}}});
  } else if (stop.why == core::ChecksStop::Why::out_of_time) {
    events_.write(now, "time_up", {});
  }
  notice(checks_stop_text(stop, launch_.ranks.first_rank()));
}

void Reporter::apply(const core::GenerationBegan& began, core::TimePoint now) {
  generation_ = began.generation;
  master_port_ = began.master_port;
  events_.write(now, "generation_began", {{"gen", gen()}});
}

void Reporter::apply(const core::WorkerStarted& started, core::TimePoint now) {
  events_.write(
      now, "worker_started",
      {{"gen", gen()}, {"rank", global(started.local_rank)}, {"pid", std::int64_t{started.pid}}});
}

void Reporter::apply(const core::SpawnFailed& failed, core::TimePoint now) {
  events_.write(now, "spawn_failed",
                {{"gen", gen()},
                 {"rank", global(failed.local_rank)},
                 {"errno", std::int64_t{failed.error.error_number}}});
}

void Reporter::apply(const core::GroupRunning&, core::TimePoint now) {
  events_.write(now, "group_running", {{"gen", gen()}});
  log::write(log::Level::info, fmt::format("attempt {}: {} workers are started, MASTER_PORT {}",
                                           generation_, launch_.ranks.nproc, master_port_));
}

void Reporter::apply(const core::PreloadLost& lost, core::TimePoint now) {
  events_.write(now, "preload_lost",
                {{"gen", gen()}, {"pid", std::int64_t{lost.pid}}, {"why", lost.why}});
  log::write(log::Level::warn,
             fmt::format("the preloader (pid {}) is gone: {}; workers start without it from now on",
                         lost.pid, lost.why));
}

void Reporter::apply(const core::WorkerExited& exited, core::TimePoint now) {
  const auto* code = std::get_if<core::Exited>(&exited.status);
  const auto* signaled = std::get_if<core::Signaled>(&exited.status);
  events_.write(now, "worker_exited",
                {{"gen", gen()},
                 {"rank", global(exited.local_rank)},
                 {code != nullptr ? "code" : "signal",
                  std::int64_t{code != nullptr ? code->code : signaled->signal}},
                 {"oom_killed", exited.oom_killed}});
}

void Reporter::apply(const core::HangDetected& detected, core::TimePoint now) {
  const auto& hang = detected.hang;
  cause_time_ = local_time(now);
  std::vector<core::LocalRank> behind;
  for (const auto& rank : hang.ranks) {
    if (rank.behind) behind.push_back(rank.local_rank);
  }
  events_.write(now, "hang_detected",
                {{"gen", gen()},
                 {"kind", std::string(core::name_of(hang.kind))},
                 {"limit_ns", std::int64_t{hang.limit.count()}},
                 {"behind", rank_list(behind, launch_.ranks.first_rank())}});
}

// The hang that is examined: another one (--timeout) may be detected meanwhile.
void Reporter::apply(const core::TakeEvidence& take, core::TimePoint) { examined_ = take.hang; }

void Reporter::apply(const core::ProcessesSeen& seen, core::TimePoint now) {
  for (std::size_t i = 0; i < seen.processes.size() && i < examined_.ranks.size(); ++i) {
    const auto& rank = examined_.ranks[i];
    const auto& process = seen.processes[i];
    events_.write(now, "hang_rank",
                  {{"gen", std::int64_t{seen.generation}},
                   {"rank", global(rank.local_rank)},
                   {"step", rank.step.value_or(-1)},
                   {"phase", rank.phase},
                   {"ready", rank.ready},
                   {"behind", rank.behind},
                   {"activity", std::string(core::name_of(process.activity))},
                   {"state", std::string(1, process.state)},
                   {"cores", process.cores},
                   {"wait_channel", process.wait_channel},
                   {"threads", std::int64_t{process.threads}}});
  }
}

void Reporter::apply(const core::DiagnosticsKept& kept, core::TimePoint now) {
  events_.write(now, "hang_evidence",
                {{"gen", gen()},
                 {"rank", global(kept.local_rank)},
                 {"what", kept.what},
                 {"file", kept.file},
                 {"outcome", kept.outcome}});
}

void Reporter::apply(const core::RasAnswered& answered, core::TimePoint now) {
  events_.write(now, "hang_evidence",
                {{"gen", gen()},
                 {"rank", std::int64_t{-1}},
                 {"what", "nccl_ras"},
                 {"file", answered.file},
                 {"outcome", answered.outcome}});
  for (const auto& communicator : answered.communicators) {
    events_.write(now, "nccl_ras",
                  {{"gen", gen()},
                   {"rank", std::int64_t{-1}},
                   {"communicator", communicator.id},
                   {"size", std::int64_t{communicator.size}},
                   {"numbering", ras_numbering(communicator)},
                   {"missing", ras_rank_list(communicator, communicator.missing)},
                   {"left", ras_rank_list(communicator, communicator.left)},
                   {"failed", ras_rank_list(communicator, communicator.failed)},
                   {"summary", ras_text(communicator)}});
  }
  witness_ = ras_lines(answered.communicators);
}

void Reporter::apply(const core::StragglerFound& found, core::TimePoint now) {
  const auto& straggler = found.straggler;
  events_.write(now, "straggler",
                {{"gen", gen()},
                 {"rank", global(straggler.local_rank)},
                 {"own_ns", std::int64_t{straggler.own.count()}},
                 {"median_ns", std::int64_t{straggler.median.count()}},
                 {"factor", straggler.factor},
                 {"steps", std::int64_t{launch_.straggler_window}},
                 {"by", std::string(straggler.by_metric ? kBusySeconds : "arrival")}});
  notice(straggler_text(straggler, launch_.straggler_window, launch_.ranks.first_rank()));
}

void Reporter::apply(const core::HangExplained& explained, core::TimePoint) {
  stack_ = explained.stack;
  evidence_ = explained.where;
}

void Reporter::apply(const core::FaultAdded& added, core::TimePoint) {
  faults_.push_back(added.spec);
  injections_.push_back(0);
}

void Reporter::apply(const core::FaultTriggered& triggered, core::TimePoint now) {
  const auto& injection = triggered.injection;
  const std::string replay = fault::format(injection.replay);
  std::vector<EventLog::Field> fields{
      {"gen", std::int64_t{injection.generation}},
      {"rank", rank_field(injection.local_rank)},
      {"fault", std::string(fault::info(injection.kind).name)},
      {"index", std::int64_t{injection.fault}},
      {"occurrence", injection.occurrence},
      {"replay", replay},
  };
  if (injection.step) fields.push_back({"step", *injection.step});
  if (injection.since_start) fields.push_back({"since_start_ns", injection.since_start->count()});
  events_.write(now, "fault_injected", fields);
  const auto fault = static_cast<std::size_t>(injection.fault);
  const auto count = ++injections_.at(fault);
  if (count == kReportedInjections + 1)
    notice(
        fmt::format("ddp-launch: more injections of {} follow; events.jsonl has all (--log-dir)\n",
                    fault::format(faults_.at(fault))));
  // The supervisor's own death leaves no time to report it.
  if (count <= kReportedInjections && injection.kind == fault::Kind::kill_supervisor)
    notice("ddp-launch: injected " + replay + "\n");
}

void Reporter::apply(const core::FaultInjected& injected, core::TimePoint now) {
  const auto& injection = injected.injection;
  const std::string replay = fault::format(injection.replay);
  const bool shown =
      injections_.at(static_cast<std::size_t>(injection.fault)) <= kReportedInjections;
  if (injected.refused.empty()) {
    if (shown && injection.kind != fault::Kind::kill_supervisor)
      notice("ddp-launch: injected " + replay + "\n");
    return;
  }
  events_.write(now, "fault_refused",
                {{"gen", std::int64_t{injection.generation}},
                 {"rank", rank_field(injection.local_rank)},
                 {"fault", std::string(fault::info(injection.kind).name)},
                 {"replay", replay},
                 {"why", injected.refused}});
  if (shown) notice("ddp-launch: could not inject " + replay + ": " + injected.refused + "\n");
}

void Reporter::apply(const core::FaultUndone& undone, core::TimePoint now) {
  events_.write(now, "fault_undone",
                {{"gen", gen()},
                 {"rank", rank_field(undone.local_rank)},
                 {"fault", std::string(fault::info(undone.kind).name)},
                 {"by", std::string(undone.by)}});
}

void Reporter::apply(const core::TeardownBegan& teardown, core::TimePoint now) {
  // When a hang was detected is known already; its diagnostics took a while.
  if (!std::holds_alternative<core::Hung>(teardown.cause)) cause_time_ = local_time(now);
  events_.write(now, "teardown_began",
                {{"gen", gen()},
                 {"rank", rank_field(core::root_cause_rank(teardown.cause))},
                 {"signal", std::int64_t{teardown.signal}},
                 {"waiting_for", number(teardown.waiting_for.size())}});
}

void Reporter::still_waiting(const core::Cause& cause,
                             const std::vector<core::LocalRank>& waiting_for,
                             core::Nanoseconds left, bool interrupted) {
  notice(waiting_text(cause, waiting_for, left, interrupted, context()));
}

void Reporter::still_dying(const std::vector<core::Survivor>& remaining, core::Nanoseconds left) {
  if (!remaining.empty()) notice(dying_text(remaining, launch_.ranks.first_rank(), left));
}

void Reporter::apply(const core::TeardownEscalated& escalated, core::TimePoint now) {
  events_.write(now, "killed",
                {{"gen", gen()},
                 {"count", number(escalated.waiting_for.size())},
                 {"by_request", escalated.by_request.has_value()}});
  if (escalated.by_request && !escalated.waiting_for.empty())
    notice(fmt::format("ddp-launch: {}: killing {} at once\n", signal_name(*escalated.by_request),
                       ranks_text(escalated.waiting_for, launch_.ranks.first_rank())));
}

void Reporter::still_lingering(const std::vector<core::Leftover>& running, core::Nanoseconds left) {
  if (!running.empty())
    notice("ddp-launch: " + lingering_text(running, launch_.ranks.first_rank(), left) + "\n");
}

void Reporter::apply(const core::ProcessesGone& gone, core::TimePoint now) {
  for (const auto& one : gone.killed) {
    events_.write(now, "leftover_killed",
                  {{"gen", gen()},
                   {"rank", one.local_rank < 0 ? -1 : global(one.local_rank)},
                   {"pid", std::int64_t{one.pid}},
                   {"command", one.command},
                   {"proof", std::string(core::name_of(one.proof))}});
  }
  events_.write(now, "processes_gone",
                {{"gen", gen()}, {"survivors", number(gone.survivors.size())}});
}

void Reporter::apply(const core::RestartGivenUp& given_up, core::TimePoint now) {
  if (given_up.by_request) {
    events_.write(now, "stop_requested", {{"signal", std::int64_t{*given_up.by_request}}});
  } else {
    events_.write(now, "time_up", {});
  }
  notice(fmt::format("ddp-launch: {} while it waited to restart\n",
                     given_up.by_request ? "stopped by " + signal_name(*given_up.by_request)
                                         : "the time of the run (--timeout) was up"));
}

void Reporter::apply(const core::ControlRequested& request, core::TimePoint now) {
  const auto& [command, by, ranks, detail] = request;
  events_.write(now, "control",
                {{"gen", gen()},
                 {"rank", ranks.size() == 1 ? global(ranks.front()) : -1},
                 {"command", command},
                 {"by_pid", std::int64_t{by.pid}},
                 {"by_uid", std::int64_t{by.uid}},
                 {"ranks", rank_list(ranks, launch_.ranks.first_rank())},
                 {"detail", detail}});
  notice(control_text(request, launch_.ranks.first_rank()));
}

void Reporter::apply(const core::KeeperGone&, core::TimePoint now) {
  events_.write(now, "keeper_gone", {});
  notice("ddp-launch: ddp-launch itself was killed, so the group is stopped\n");
}

void Reporter::apply(const core::SharedMemoryLeft& left, core::TimePoint) {
  shared_memory_ = left.segments;
}

void Reporter::apply(const core::ExceptionFound& found, core::TimePoint) { exception_ = found; }

// Before the report, which then has it, or after it where a restart did not wait.
void Reporter::apply(const core::DiagnosisMade& made, core::TimePoint) {
  const auto& incidents = recorder_.record().incidents();
  if (made.generation != reported_ || incidents.empty() || !incidents.back().diagnosis) return;
  std::string text;
  for (const auto& line : diagnosis_lines(*incidents.back().diagnosis, launch_.ranks.first_rank()))
    text += (text.empty() ? fmt::format("ddp-launch: attempt {}: ", made.generation) : "  ") +
            line + "\n";
  notice(text);
}

void Reporter::apply(const core::GenerationOver& over, core::TimePoint now) {
  reported_ = over.verdict.generation;
  last_cause_ = over.verdict.cause ? core::cause_name(*over.verdict.cause) : std::string();
  const auto segments = std::exchange(shared_memory_, {});
  for (const auto& one : segments) {
    events_.write(now, "shared_memory_left",
                  {{"gen", gen()},
                   {"rank", rank_field(one.segment.rank)},
                   {"path", one.segment.path},
                   {"bytes", static_cast<std::int64_t>(one.segment.bytes)},
                   {"proof", std::string(core::name_of(one.segment.proof))},
                   {"removed", one.removed}});
  }
  const auto rank = over.verdict.cause ? core::root_cause_rank(*over.verdict.cause) : std::nullopt;
  events_.write(now, "generation_ended",
                {{"gen", std::int64_t{over.verdict.generation}},
                 {"exit_code", std::int64_t{core::exit_code_of(over.verdict)}},
                 {"rank", rank_field(rank)}});
  events_.check();
  VerdictContext context = this->context();
  context.injected = recorder_.behind_last_failure();
  context.ended_alike = recorder_.record().ended_alike();
  const auto* failed = recorder_.record().last_failure();
  if (failed != nullptr && failed->diagnosis)
    context.diagnosis = diagnosis_lines(*failed->diagnosis, launch_.ranks.first_rank());
  context.stack = std::exchange(stack_, {});
  context.witness = std::exchange(witness_, {});
  context.evidence = std::exchange(evidence_, {});
  const auto shown = rank ? rank : raised_while_stopping(over.verdict);
  if (shown) context.tail = router_.tail(*shown, kTailLines);
  if (rank && rank != launch_.stdin_rank)
    context.hint = stdin_hint(context.tail, launch_.ranks.global(*rank).value);
  auto found = std::exchange(exception_, {});
  context.exception = std::move(found.exception);
  context.earlier = std::move(found.earlier);
  std::string text = verdict_text(over.verdict, context);
  for (const auto& line :
       shared_memory_lines(segments, launch_.clean_shm, launch_.ranks.first_rank()))
    text += "ddp-launch: " + line + "\n";
  if (over.decision) text += decision_text(*over.decision, over.verdict, context);
  if (!text.empty()) notice(text);
  // At the end of the run those of every rank follow.
  if (shown && over.decision && std::holds_alternative<core::RestartIn>(*over.decision))
    write_last_lines(*shown, context.tail, now);
}

void Reporter::apply(const core::Finish&, core::TimePoint now) {
  const auto result = evaluate(launch_, plan_, recorder_.record(), events_, began_, now);
  const auto goodput = progress_.goodput();
  if (!result.text.empty()) notice(result.text);
  if (goodput && recorder_.record().restarts() > 0)
    notice("ddp-launch: goodput: " + goodput_text(*goodput) + "\n");
  exit_code_ = result.exit_code;
  // A campaign expects its runs to fail.
  const auto* failed = recorder_.record().last_failure();
  if (exit_code_ != core::kSuccess && failed != nullptr &&
      launch_.options.campaign_events.empty()) {
    const std::string problem = write_outer_error_file(*failed);
    if (!problem.empty()) log::write(log::Level::warn, problem);
  }
  if (events_.enabled()) {
    for (core::LocalRank rank = 0; rank < launch_.ranks.nproc; ++rank)
      write_last_lines(rank, router_.tail(rank, kTailLines), now);
  }
  std::vector<EventLog::Field> fields{{"exit_code", std::int64_t{exit_code_}}};
  if (goodput) add_goodput(fields, *goodput);
  events_.write(now, "run_finished", fields);
  if (launch_.options.json_summary)
    router_.result(summary_json({.launch = launch_,
                                 .record = recorder_.record(),
                                 .checks = result.checks,
                                 .goodput = goodput,
                                 .cause = last_cause_,
                                 .duration = now - began_,
                                 .exit_code = exit_code_}) +
                   "\n");
  events_.check();
}

// Without colours, and each cut: all of them are in the rank's log, if it has one.
void Reporter::write_last_lines(core::LocalRank rank, const std::vector<std::string>& lines,
                                core::TimePoint now) {
  if (lines.empty() || !events_.enabled()) return;
  std::string text;
  for (const auto& line : lines) {
    text += utf8_prefix(plain_text(line), kLongestLine);
    text += '\n';
  }
  events_.write(now, "last_lines",
                {{"gen", gen()}, {"rank", global(rank)}, {"text", std::move(text)}});
}

// What does not change from failure to failure, and when the present one was seen.
VerdictContext Reporter::context() const {
  VerdictContext context;
  context.first_rank = launch_.ranks.first_rank();
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

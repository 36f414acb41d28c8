#include "launcher/hangs/monitor.hpp"

#include "common/env_names.hpp"
#include "launcher/hangs/debugger_command.hpp"
#include "launcher/os/devices.hpp"
#include "launcher/os/proc.hpp"
#include "launcher/workers/nccl_variables.hpp"

#include <chrono>
#include <cstdlib>
#include <utility>

namespace ddp {
namespace {

// A launcher that was itself stopped or starved finds its timer due and news waiting to be read:
// the news is read first.
constexpr auto kReadFirst = std::chrono::milliseconds(20);

// Whatever the command wrote: so much of it is searched.
constexpr std::size_t kStackBytes = std::size_t{64} << 10;
constexpr std::size_t kStackLines = 20;

// What only puts a deadline off, so that the timer may be left as it is.
bool is_progress(const core::Event& event) {
  return std::holds_alternative<core::WorkerReady>(event) ||
         std::holds_alternative<core::WorkerHeartbeat>(event) ||
         std::holds_alternative<core::WorkerStep>(event) ||
         std::holds_alternative<core::WorkerPhase>(event);
}

bool moves_deadline(const core::Event& event) {
  return std::holds_alternative<core::StartRequested>(event) ||
         std::holds_alternative<core::GenerationBegan>(event) ||
         std::holds_alternative<core::WorkerStarted>(event) ||
         std::holds_alternative<core::WorkerExited>(event) ||
         std::holds_alternative<core::Suspended>(event);
}

}  // namespace

HangMonitor::HangMonitor(os::Loop& loop, const core::RankGroup& ranks, const HangOptions& options,
                         const out::Router& router, Workers& workers, HangPlaces places,
                         core::Publish publish)
    : loop_(loop),
      ranks_(ranks),
      options_(options),
      workers_(workers),
      places_(std::move(places)),
      publish_(std::move(publish)),
      limits_(options.limits.any()),
      compares_(options.straggler.factor > 0),
      watch_(options.limits, ranks.nproc,
             [&router](core::LocalRank rank) { return router.last_output(rank); }),
      stragglers_(options.straggler, ranks.nproc),
      timer_(loop.make_timer()) {}

void HangMonitor::on(const core::Event& event, core::TimePoint now) {
  if (!limits_ && !compares_) return;
  core::dispatch(watch_, event, now);
  core::dispatch(*this, event, now);
  if (!limits_) return;
  // What progress adds is due later than what the timer waits for: no loop over the ranks for it.
  if (moves_deadline(event) ||
      (is_progress(event) && (!armed_ || *armed_ > now + watch_.shortest())))
    arm();
}

void HangMonitor::on(const core::Action& action, core::TimePoint now) {
  if (!limits_) return;
  core::dispatch(*this, action, now);
}

void HangMonitor::apply(const core::GenerationBegan& began, core::TimePoint) {
  generation_ = began.generation;
  stragglers_.apply(began);
}

void HangMonitor::apply(const core::WorkerStep& event, core::TimePoint now) {
  if (!compares_) return;
  for (const auto& straggler : stragglers_.apply(event, now))
    publish_(core::StragglerFound{straggler});
}

void HangMonitor::apply(const core::WorkerExited& exited, core::TimePoint) {
  stragglers_.apply(exited);
}

void HangMonitor::apply(const core::TakeEvidence& take, core::TimePoint) {
  HangEvidence::Handlers handlers;
  handlers.seen = [this, take](std::vector<core::ProcessPicture> pictures) {
    core::Hang hang = take.hang;
    for (std::size_t i = 0; i < pictures.size(); ++i) hang.ranks[i].process = pictures[i];
    publish_(core::ProcessesSeen{take.generation, std::move(pictures)});
    return core::root_cause_rank(hang);
  };
  handlers.kept = [this](const HangSubject& subject, const std::string& what,
                         const std::string& file, const std::string& outcome) {
    publish_(core::DiagnosticsKept{subject.local_rank, what, file, outcome});
  };
  ras_file_.clear();
  handlers.ras = [this](core::RasAnswered answered) {
    ras_file_ = answered.file;
    publish_(answered);
  };
  handlers.done = [this, take] { publish_(core::EvidenceTaken{take.generation}); };
  evidence_.emplace(loop_, workers_, plan(take), std::move(handlers));
}

void HangMonitor::apply(const core::TeardownBegan& teardown, core::TimePoint now) {
  if (evidence_) explain(core::root_cause_rank(teardown.cause));
  evidence_.reset();
  watch_.apply(teardown, now);
  arm();
}

HangEvidencePlan HangMonitor::plan(const core::TakeEvidence& take) const {
  HangEvidencePlan plan;
  plan.command = options_.on_hang;
  plan.signal = options_.hang_signal;
  plan.cpus = os::count_cpus();
  plan.world_size = ranks_.world_size();
  plan.one_machine = ranks_.is_whole_world();
  plan.deadline = take.deadline;
  plan.ask_ras = places_.ask_ras;
  plan.ras_address = places_.ras_address;
  // Next to the directories of the ranks: RAS speaks for all of them.
  plan.ras_dir = attempt_hang_dir(places_.run_dir, take.generation);
  bool chosen = false;
  for (const char* name : {env::kNcclFlightPipe, env::kFlightPipe}) {
    const char* const stem = std::getenv(name);
    chosen |= stem != nullptr;
    if (stem != nullptr && *stem != '\0') plan.flight_recorders.emplace_back(stem);
  }
  if (!chosen) plan.own_flight_recorder = places_.trace_pipes;
  for (const auto& rank : take.hang.ranks) {
    HangSubject subject;
    subject.local_rank = rank.local_rank;
    subject.rank = ranks_.global(rank.local_rank).value;
    subject.pid = workers_.living_pid(rank.local_rank);
    subject.dir = hang_dir(places_.run_dir, take.generation, std::to_string(rank.local_rank));
    subject.behind = rank.behind;
    plan.subjects.push_back(std::move(subject));
  }
  return plan;
}

void HangMonitor::explain(std::optional<core::LocalRank> root_cause) {
  core::HangExplained explained;
  if (root_cause) {
    const auto output = os::read_file(
        hang_dir(places_.run_dir, generation_, std::to_string(*root_cause)) + "/on-hang.log",
        kStackBytes);
    explained.stack = first_stack(output.value_or(""), kStackLines);
  }
  if (options_.evidence_timeout.count() > 0) {
    explained.where =
        places_.keeps_files
            ? "the diagnostics of each rank are in " + hang_dir(places_.run_dir, generation_, "*")
            : "use --log-dir DIR to keep the diagnostics of each rank";
    // Whatever it is: RAS may have answered in part, or something else in its place.
    if (places_.keeps_files && !ras_file_.empty())
      explained.where += ", the answer from NCCL_RAS_ADDR in " + ras_file_;
  }
  publish_(explained);
}

void HangMonitor::arm() {
  const auto deadline = watch_.next_deadline();
  if (deadline == armed_) return;
  armed_ = deadline;
  timer_->cancel();
  if (deadline) wait(*deadline, /*news_read=*/false);
}

void HangMonitor::wait(core::TimePoint until, bool news_read) {
  timer_->at(until, [this, news_read] { due(news_read); });
}

void HangMonitor::due(bool news_read) {
  const auto now = loop_.now();
  if (const auto deadline = watch_.next_deadline(); !news_read && deadline && *deadline <= now)
    return wait(now + kReadFirst, /*news_read=*/true);
  armed_.reset();
  if (const auto hang = watch_.check(now)) publish_(core::HangDetected{*hang});
  arm();
}

}  // namespace ddp

#include "launcher/faults/controller.hpp"

#include "launcher/core/faults/engine.hpp"
#include "launcher/core/faults/lasting_faults.hpp"
#include "launcher/events/failure_event.hpp"
#include "launcher/faults/stream_count.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/proc.hpp"

#include <fmt/core.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <csignal>
#include <utility>
#include <vector>

namespace ddp {
namespace {

using Clock = std::chrono::steady_clock;
using fault::Kind;

// Of each fault; the event file has all of them.
constexpr std::int64_t kReportedInjections = 10;

}  // namespace

class FaultController::Impl {
 public:
  Impl(boost::asio::io_context& io, const Launch& launch, EventLog& events, out::Router& router,
       WorkerSet& workers)
      : ranks_(launch.ranks),
        plan_(launch.faults.plan),
        events_(events),
        router_(router),
        injector_(ranks_, router, workers),
        timer_(io),
        record_(ranks_.first_rank().value) {
    if (plan_.faults.empty()) return;
    for (const auto& spec : plan_.faults) {
      const bool unread = spec.line && streams_of(spec, ranks_, launch.output).unread > 0;
      tallies_.push_back({.spec = spec, .unread = unread});
    }
    engine_.emplace(plan_.faults, plan_.seed,
                    core::FaultScope{ranks_.world_size(), ranks_.first_rank().value, ranks_.nproc});
    if (!engine_->wants_lines()) return;
    router_.on_line([this](int local_rank, out::Stream, std::string_view line) {
      hear(core::heard::Said{local_rank, line});
    });
  }

  ~Impl() { router_.on_line(nullptr); }

  void generation_began(core::Generation generation, std::uint16_t port) {
    record_.began(generation);
    injector_.generation_began(port);
    hear(core::heard::GenerationBegan{generation});
  }

  SpawnChange spawn_due(core::LocalRank local_rank) {
    if (!engine_) return {};
    hear(core::heard::SpawnDue{local_rank});
    change_.worker_faults = engine_->worker_faults(local_rank);
    return std::exchange(change_, {});
  }

  void started(core::LocalRank local_rank, int pid) {
    injector_.started(local_rank, pid);
    record_.started(Clock::now());
    hear(core::heard::Started{local_rank});
  }

  void notified(core::LocalRank rank, const NotifyMessage& message) {
    if (message.digest) record_.told_digest(*message.digest);
    if (message.step) record_.stepped(*message.step, Clock::now());
    if (!engine_) return;
    if (message.ready) hear(core::heard::Ready{rank});
    // The step first: a phase is entered within it.
    if (message.step) hear(core::heard::Stepped{rank, *message.step});
    if (message.phase) hear(core::heard::PhaseEntered{rank, *message.phase});
    const auto injected = message.fault ? fault::parse_injection_id(*message.fault) : std::nullopt;
    if (injected) hear(core::heard::Injected{rank, *injected});
  }

  void exited(core::LocalRank rank) {
    if (!engine_) return;
    injector_.exited(rank);
    close_lasting("exit", [rank](const Lasting& one) { return one.local_rank == rank; });
    hear(core::heard::Exited{rank});
  }

  void teardown_began() {
    undone_by_ = "teardown";
    hear(core::heard::TeardownBegan{});
    undone_by_ = "time";
    // The teardown itself continued them.
    close_lasting("teardown", [](const Lasting& one) {
      return one.kind == Kind::stop || one.kind == Kind::slow || one.kind == Kind::block_output;
    });
  }

  void generation_over(const core::Verdict& verdict) {
    tell_failure();
    record_.ended(verdict);
    if (record_.last_failure() != nullptr) untold_failure_ = true;
    if (!injector_.generation_over()) return;
    events_.write(Clock::now(), "fault_undone",
                  {{"gen", std::int64_t{verdict.generation}},
                   {"rank", std::int64_t{-1}},
                   {"fault", std::string(fault::info(Kind::port_taken).name)},
                   {"by", std::string("teardown")}});
  }

  bool keeps_stopped(core::LocalRank rank) const {
    return std::any_of(lasting_.begin(), lasting_.end(), [rank](const Lasting& one) {
      return one.kind == Kind::stop && one.local_rank == rank;
    });
  }

  void finished(int exit_code, const std::string& run_dir) {
    tell_failure();
    // A killed keeper is what the user sees, whatever the supervisor does afterwards.
    record_.finished(injector_.keeper_killed() ? 128 + SIGKILL : exit_code,
                     plan_.expect && plan_.expect->no_process_left ? processes_left(run_dir) : 0,
                     tallies_here());
  }

  const core::RunRecord& record() const { return record_; }

  std::string behind_last_failure() const {
    const auto* failure = record_.last_failure();
    return failure && failure->fault ? fault::format(failure->fault->injection.replay) : "";
  }

 private:
  struct Lasting {
    int fault = 0;
    Kind kind = Kind::stop;
    core::LocalRank local_rank = 0;
  };

  std::int64_t global(std::optional<core::LocalRank> rank) const {
    return rank ? ranks_.global(*rank).value : -1;
  }

  // Of a group on several machines nobody here knows what struck elsewhere: those that must strike
  // one of ours.
  std::vector<core::FaultTally> tallies_here() const {
    auto here = tallies_;
    if (ranks_.is_whole_world()) return here;
    std::erase_if(here, [this](const core::FaultTally& tally) {
      if (tally.spec.ranks.mode == fault::Ranks::Mode::any) return true;
      for (core::LocalRank rank = 0; rank < ranks_.nproc; ++rank)
        if (tally.spec.addresses(ranks_.global(rank).value)) return false;
      return true;
    });
    return here;
  }

  // Looked for in two ways that know nothing of how they were killed: by descent, and by what each
  // of them was given.
  static std::int64_t processes_left(const std::string& run_dir) {
    auto left = os::processes_of_launch(run_dir);
    for (const auto& child : os::living_children()) left.push_back(child.pid);
    std::sort(left.begin(), left.end());
    return std::unique(left.begin(), left.end()) - left.begin();
  }

  // Of the generation before, now that it is known what became of it.
  void tell_failure() {
    if (std::exchange(untold_failure_, false)) write_failure(events_, record_.incidents().back());
  }

  void hear(const core::FaultEvent& event) {
    if (!engine_) return;
    for (const auto& action : engine_->step(event, Clock::now()))
      std::visit([this](const auto& one) { carry_out(one); }, action);
    arm();
  }

  void arm() {
    const auto deadline = engine_->next_deadline();
    if (deadline == armed_) return;
    armed_ = deadline;
    timer_.cancel();
    if (!deadline) return;
    timer_.expires_at(*deadline);
    timer_.async_wait([this](boost::system::error_code ec) {
      if (ec) return;
      armed_.reset();
      hear(core::heard::Tick{});
    });
  }

  // --- what the engine asks for

  void carry_out(const core::Injection& injection) {
    const std::string replay = fault::format(injection.replay);
    const auto now = Clock::now();
    std::vector<EventLog::Field> fields{
        {"gen", std::int64_t{injection.generation}},
        {"rank", global(injection.local_rank)},
        {"fault", std::string(fault::info(injection.kind).name)},
        {"index", std::int64_t{injection.fault}},
        {"occurrence", injection.occurrence},
        {"replay", replay},
    };
    if (injection.step) fields.push_back({"step", *injection.step});
    if (injection.since_start) fields.push_back({"since_start_ns", injection.since_start->count()});
    events_.write(now, "fault_injected", fields);
    auto& tally = tallies_.at(static_cast<std::size_t>(injection.fault));
    const auto before = tally.injected + tally.refused;
    const bool told = before < kReportedInjections;
    if (before == kReportedInjections)
      router_.notice(
          fmt::format("ddp-launch: more strikes of {} follow; events.jsonl has all (--log-dir)\n",
                      fault::format(tally.spec)));
    // The supervisor's own end leaves no time to tell of it.
    const std::string injected = "ddp-launch: injected " + replay + "\n";
    const bool told_first = injection.kind == Kind::kill_supervisor;
    if (told && told_first) router_.notice(injected);
    const std::string refused = injector_.inject(injection, change_);
    record_.injected({injection, now, refused});
    ++(refused.empty() ? tally.injected : tally.refused);
    if (refused.empty()) {
      if (told && !told_first) router_.notice(injected);
      if (injection.local_rank && fault::takes(injection.kind, fault::Word::lasts)) {
        close_lasting("another", [&](const Lasting& one) {
          return one.local_rank == *injection.local_rank &&
                 core::LastingFaults::replaces(injection, one.fault, one.kind);
        });
        lasting_.push_back({injection.fault, injection.kind, *injection.local_rank});
      }
      return;
    }
    events_.write(Clock::now(), "fault_refused",
                  {{"gen", std::int64_t{injection.generation}},
                   {"rank", global(injection.local_rank)},
                   {"fault", std::string(fault::info(injection.kind).name)},
                   {"replay", replay},
                   {"why", refused}});
    if (told) router_.notice("ddp-launch: could not inject " + replay + ": " + refused + "\n");
  }

  void carry_out(const core::UndoFault& undo) {
    if (!undo.still_held) injector_.undo(undo);
    close_lasting(undone_by_, [&](const Lasting& one) {
      return one.fault == undo.fault && one.kind == undo.kind && one.local_rank == undo.local_rank;
    });
  }

  void carry_out(const core::ThrottleTick& tick) { injector_.throttle(tick); }

  // Tells of the end of lasting faults.
  template <class Ends>
  void close_lasting(const char* by, Ends ends) {
    std::erase_if(lasting_, [&](const Lasting& one) {
      if (!ends(one)) return false;
      record_.undone(one.fault, one.local_rank, Clock::now());
      events_.write(Clock::now(), "fault_undone",
                    {{"gen", std::int64_t{record_.generation()}},
                     {"rank", global(one.local_rank)},
                     {"fault", std::string(fault::info(one.kind).name)},
                     {"by", std::string(by)}});
      return true;
    });
  }

  const core::RankGroup ranks_;
  const core::FaultPlan& plan_;
  EventLog& events_;
  out::Router& router_;
  FaultInjector injector_;
  boost::asio::steady_timer timer_;
  std::optional<core::TimePoint> armed_;
  core::RunRecord record_;
  bool untold_failure_ = false;              // the last one
  std::optional<core::FaultEngine> engine_;  // none: no fault is planned
  std::vector<core::FaultTally> tallies_;    // by fault
  std::vector<Lasting> lasting_;
  const char* undone_by_ = "time";
  SpawnChange change_;  // of the worker whose start is being considered
};

FaultController::FaultController(boost::asio::io_context& io, const Launch& launch,
                                 EventLog& events, out::Router& router, WorkerSet& workers)
    : impl_(std::make_unique<Impl>(io, launch, events, router, workers)) {}
FaultController::~FaultController() = default;

void FaultController::generation_began(core::Generation generation, std::uint16_t port) {
  impl_->generation_began(generation, port);
}
SpawnChange FaultController::spawn_due(core::LocalRank local_rank) {
  return impl_->spawn_due(local_rank);
}
void FaultController::started(core::LocalRank local_rank, int pid) {
  impl_->started(local_rank, pid);
}
void FaultController::notified(core::LocalRank local_rank, const NotifyMessage& message) {
  impl_->notified(local_rank, message);
}
void FaultController::exited(core::LocalRank local_rank) { impl_->exited(local_rank); }
void FaultController::teardown_began() { impl_->teardown_began(); }
void FaultController::generation_over(const core::Verdict& verdict) {
  impl_->generation_over(verdict);
}
void FaultController::finished(int exit_code, const std::string& run_dir) {
  impl_->finished(exit_code, run_dir);
}
bool FaultController::keeps_stopped(core::LocalRank local_rank) const {
  return impl_->keeps_stopped(local_rank);
}
const core::RunRecord& FaultController::record() const { return impl_->record(); }
std::string FaultController::behind_last_failure() const { return impl_->behind_last_failure(); }

}  // namespace ddp

// One function per event: longer than most files, and each part short.
#include "launcher/history/builder.hpp"

#include "common/signal_name.hpp"
#include "common/utf8.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace ddp::history {
namespace {

constexpr int kMostRanks = static_cast<int>(Builder::kMostSpans);
constexpr int kHighestRank = 1'000'000;

}  // namespace

// The fields of one event, read as the type that is asked for.
class Builder::Fields {
 public:
  explicit Fields(const boost::json::object& object) : object_(object) {}

  std::optional<std::int64_t> maybe(std::string_view name) const {
    const auto* value = find(name);
    if (value == nullptr) return std::nullopt;
    // So that the difference of any two is a number, whatever the file has.
    constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max() / 4;
    if (const auto* number = value->if_int64()) return std::clamp(*number, -kLargest, kLargest);
    return std::nullopt;
  }
  std::int64_t number(std::string_view name, std::int64_t otherwise = 0) const {
    return maybe(name).value_or(otherwise);
  }
  std::optional<int> small(std::string_view name) const {
    const auto value = maybe(name);
    if (!value || *value < std::numeric_limits<int>::min() ||
        *value > std::numeric_limits<int>::max())
      return std::nullopt;
    return static_cast<int>(*value);
  }
  int rank() const { return std::max(small("rank").value_or(-1), -1); }
  std::int64_t generation() const { return number("gen"); }
  std::optional<core::Nanoseconds> duration(std::string_view name) const {
    const auto value = maybe(name);
    return value ? std::optional(core::Nanoseconds(*value)) : std::nullopt;
  }
  core::TimePoint at(std::string_view name = "t_ns") const {
    return core::TimePoint(core::Nanoseconds(number(name)));
  }
  // A number, or its name where JSON has none.
  std::optional<double> real(std::string_view name) const {
    const auto* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (const auto* number = value->if_double()) return *number;
    if (const auto* number = value->if_int64()) return static_cast<double>(*number);
    const auto* text = value->if_string();
    if (text == nullptr) return std::nullopt;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (*text == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (*text == "inf") return kInfinity;
    if (*text == "-inf") return -kInfinity;
    return std::nullopt;
  }
  bool flag(std::string_view name) const {
    const auto* value = find(name);
    return value != nullptr && value->is_bool() && value->get_bool();
  }
  std::string text(std::string_view name, std::size_t longest = kLongestText) const {
    const auto* value = find(name);
    const auto* found = value != nullptr ? value->if_string() : nullptr;
    if (found == nullptr) return {};
    return std::string(utf8_prefix({found->data(), found->size()}, longest));
  }

 private:
  const boost::json::value* find(std::string_view name) const {
    return object_.if_contains({name.data(), name.size()});
  }
  const boost::json::object& object_;
};

Builder::Handler Builder::handler(std::string_view event) {
  struct Row {
    std::string_view name;
    Handler handler;
  };
  static constexpr std::array kRows{
      Row{"run_started", &Builder::run_started},
      Row{"run_finished", &Builder::run_finished},
      Row{"generation_began", &Builder::generation_began},
      Row{"worker_started", &Builder::worker_started},
      Row{"worker_ready", &Builder::worker_ready},
      Row{"worker_exited", &Builder::worker_exited},
      Row{"group_running", &Builder::group_running},
      Row{"progress", &Builder::progress},
      Row{"teardown_began", &Builder::teardown_began},
      Row{"processes_gone", &Builder::processes_gone},
      Row{"generation_ended", &Builder::generation_ended},
      Row{"failure", &Builder::failure},
      Row{"fault_injected", &Builder::fault_injected},
      Row{"fault_refused", &Builder::fault_refused},
      Row{"fault_undone", &Builder::fault_undone},
      Row{"straggler", &Builder::straggler},
      Row{"hang_detected", &Builder::hang_detected},
      Row{"expectation", &Builder::expectation},
      Row{"last_lines", &Builder::last_lines},
      Row{"spawn_failed", &Builder::spawn_failed},
      Row{"stop_requested", &Builder::stop_requested},
      Row{"time_up", &Builder::time_up},
      Row{"keeper_gone", &Builder::keeper_gone},
      Row{"preload_lost", &Builder::preload_lost},
      Row{"leftover_killed", &Builder::leftover_killed},
      Row{"killed", &Builder::killed},
      Row{"lost", &Builder::lost},
  };
  const auto* row = std::find_if(kRows.begin(), kRows.end(),
                                 [event](const Row& one) { return one.name == event; });
  return row != kRows.end() ? row->handler : nullptr;
}

void Builder::add(std::string_view event, const boost::json::object& fields) {
  const Fields read(fields);
  // A file to which two runs were appended is the later one.
  if (event == "run_started") *this = Builder();
  if (history_.events++ == 0) history_.began = history_.end = read.at();
  history_.end = std::max(history_.end, read.at());
  if (const auto handle = handler(event)) (this->*handle)(read);
}

History Builder::take() && {
  history_.goodput = goodput_.result();
  return std::move(history_);
}

template <class T>
void Builder::keep(std::vector<T>& list, T one) {
  list.push_back(std::move(one));
  if (list.size() <= kMostOfAList) return;
  list.erase(list.begin());
  ++history_.dropped;
}

void Builder::note(const Fields& event, std::string text) {
  keep(history_.notes, {event.at(), event.generation(), event.rank(), std::move(text)});
}

Generation* Builder::generation(const Fields& event) {
  auto& all = history_.generations;
  const auto found = std::find_if(all.rbegin(), all.rend(), [&](const Generation& one) {
    return one.number == event.generation();
  });
  return found != all.rend() ? &*found : nullptr;
}

RankSpan* Builder::span(const Fields& event) {
  auto* attempt = generation(event);
  if (attempt == nullptr) return nullptr;
  const int rank = event.rank();
  // Ranks start in order, so that one is found where its number says; a delayed one is not.
  const auto guess = static_cast<std::size_t>(std::max(rank - history_.run.first_rank, 0));
  auto& ranks = attempt->ranks;
  if (guess < ranks.size() && ranks[guess].rank == rank) return &ranks[guess];
  const auto found = std::find_if(ranks.begin(), ranks.end(),
                                  [rank](const RankSpan& one) { return one.rank == rank; });
  return found != ranks.end() ? &*found : nullptr;
}

void Builder::drop_oldest() {
  const auto& oldest = history_.generations.front();
  spans_ -= oldest.ranks.size();
  points_ -= oldest.points.size();
  history_.generations.pop_front();
  ++history_.dropped_generations;
}

void Builder::run_started(const Fields& event) {
  history_.run = {.run_id = event.text("run_id"),
                  .nproc = std::clamp(event.small("nproc").value_or(0), 0, kMostRanks),
                  .nnodes = event.small("nnodes").value_or(1),
                  .first_rank = std::clamp(event.small("first_rank").value_or(0), 0, kHighestRank),
                  .command = event.text("command"),
                  .version = event.text("version"),
                  .host = event.text("host"),
                  .wall = event.text("wall")};
  goodput_.started(event.at());
}

void Builder::run_finished(const Fields& event) {
  history_.finished = true;
  history_.exit_code = event.small("exit_code");
  goodput_.finished(event.at());
  const auto total = event.duration("total_ns");
  if (!total) return;
  auto& recorded = history_.recorded_goodput.emplace();
  recorded.total = *total;
  for (const auto& part : core::kGoodputParts)
    recorded.*part.time = event.duration(part.name).value_or(core::Nanoseconds(0));
}

void Builder::generation_began(const Fields& event) {
  auto& all = history_.generations;
  all.push_back({.number = event.generation(), .began = event.at()});
  if (all.size() > kMostGenerations) drop_oldest();
  goodput_.began(event.at());
}

void Builder::worker_started(const Fields& event) {
  auto* attempt = generation(event);
  if (attempt == nullptr || attempt->ranks.size() >= kMostSpans) return;
  while (spans_ >= kMostSpans && &history_.generations.front() != attempt) drop_oldest();
  attempt->ranks.push_back(
      {.rank = event.rank(), .pid = event.number("pid"), .spawned = event.at()});
  ++spans_;
}

void Builder::worker_ready(const Fields& event) {
  if (auto* one = span(event)) one->ready = event.at();
  auto* attempt = generation(event);
  if (attempt != nullptr && attempt->points.empty()) attempt->ready = event.at();
  goodput_.ready(event.at());
}

void Builder::worker_exited(const Fields& event) {
  auto* one = span(event);
  if (one == nullptr) return;
  one->exited = event.at();
  one->code = event.small("code");
  one->signal = event.small("signal");
  one->oom_killed = event.flag("oom_killed");
}

void Builder::group_running(const Fields& event) {
  if (auto* attempt = generation(event)) attempt->running = event.at();
}

void Builder::progress(const Fields& event) {
  const auto step = event.maybe("step");
  const auto at = event.maybe("at_ns") ? event.at("at_ns") : event.at();
  if (!step) return;
  const auto first = event.number("first", *step);
  goodput_.stepped(*step, first, at,
                   event.duration("checkpoint_ns").value_or(core::Nanoseconds(0)));
  auto* attempt = generation(event);
  if (attempt == nullptr) return;
  attempt->first = std::min(attempt->first.value_or(first), first);
  attempt->points.push_back({*step, at, event.real("loss")});
  if (++points_ >= kMostPoints) thin_out();
}

// Every second point, of all attempts: what remains of each is spread as before.
void Builder::thin_out() {
  points_ = 0;
  for (auto& attempt : history_.generations) {
    auto& points = attempt.points;
    if (points.size() > 2) {
      std::size_t kept = 1;  // the first and the last stay
      for (std::size_t i = 2; i + 1 < points.size(); i += 2) points[kept++] = points[i];
      points[kept++] = points.back();
      points.resize(kept);
    }
    points_ += points.size();
  }
}

void Builder::teardown_began(const Fields& event) {
  goodput_.stopping(event.at());
  auto* attempt = generation(event);
  if (attempt == nullptr) return;
  if (!attempt->teardown) attempt->teardown = event.at();
  attempt->root_cause = event.rank();
}

void Builder::processes_gone(const Fields& event) {
  if (auto* attempt = generation(event)) attempt->gone = event.at();
  const auto survivors = event.number("survivors");
  if (survivors > 0) note(event, std::to_string(survivors) + " processes survived SIGKILL");
}

void Builder::generation_ended(const Fields& event) {
  goodput_.ended(event.at());
  auto* attempt = generation(event);
  if (attempt == nullptr) return;
  attempt->ended = event.at();
  attempt->exit_code = event.small("exit_code");
  attempt->root_cause = event.rank();
}

void Builder::failure(const Fields& event) {
  keep(history_.failures, {.generation = event.generation(),
                           .rank = event.rank(),
                           .cause = event.text("cause"),
                           .fault = event.text("fault"),
                           .step = event.maybe("step"),
                           .detected = event.duration("detected_ns"),
                           .down = event.duration("down_ns"),
                           .next_exec = event.duration("next_exec_ns"),
                           .first_step = event.duration("first_step_ns"),
                           .repeated = event.maybe("repeated"),
                           .exception = event.text("exception"),
                           .traceback = event.text("traceback"),
                           .diagnosis = event.text("diagnosis"),
                           .diagnosis_cause = event.text("diagnosis_cause"),
                           .remedy = event.text("remedy"),
                           .evidence = event.text("evidence")});
}

void Builder::fault_injected(const Fields& event) {
  keep(history_.faults, {.at = event.at(),
                         .generation = event.generation(),
                         .rank = event.rank(),
                         .text = event.text("replay")});
}

void Builder::fault_refused(const Fields& event) {
  // The announcement that it is about to be injected came before.
  auto& faults = history_.faults;
  const auto text = event.text("replay");
  const auto announced = std::find_if(faults.rbegin(), faults.rend(), [&](const Fault& one) {
    return one.text == text && one.refused.empty();
  });
  if (announced != faults.rend()) announced->refused = event.text("why");
}

void Builder::fault_undone(const Fields& event) {
  auto& faults = history_.faults;
  const auto name = event.text("fault");
  const auto lasting = std::find_if(faults.rbegin(), faults.rend(), [&](const Fault& one) {
    return one.generation == event.generation() && one.rank == event.rank() && !one.undone &&
           one.text.starts_with(name);
  });
  if (lasting != faults.rend()) lasting->undone = event.at();
}

void Builder::straggler(const Fields& event) {
  keep(history_.stragglers, {.at = event.at(),
                             .generation = event.generation(),
                             .rank = event.rank(),
                             .own = core::Nanoseconds(event.number("own_ns")),
                             .median = core::Nanoseconds(event.number("median_ns")),
                             .factor = event.real("factor").value_or(0),
                             .steps = event.number("steps")});
}

void Builder::hang_detected(const Fields& event) {
  keep(history_.hangs, {.at = event.at(),
                        .generation = event.generation(),
                        .kind = event.text("kind"),
                        .limit = core::Nanoseconds(event.number("limit_ns")),
                        .behind = event.text("behind")});
}

void Builder::expectation(const Fields& event) {
  keep(history_.expectations, {.name = event.text("name"),
                               .expected = event.text("expected"),
                               .measured = event.text("measured"),
                               .met = event.flag("met")});
}

void Builder::last_lines(const Fields& event) {
  LastLines last{event.generation(), event.rank(), {}};
  const std::string text = event.text("text");
  for (std::size_t at = 0; at < text.size() && last.lines.size() < kMostLines;) {
    const auto end = std::min(text.find('\n', at), text.size());
    last.lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  // Once more for a rank whose attempt was to be followed by another, and was not.
  auto& all = history_.last_lines;
  std::erase_if(all, [&](const LastLines& one) {
    return one.generation == last.generation && one.rank == last.rank;
  });
  keep(all, std::move(last));
}

void Builder::spawn_failed(const Fields& event) {
  note(event,
       std::string("it could not be started: ") + std::strerror(event.small("errno").value_or(0)));
}

void Builder::stop_requested(const Fields& event) {
  note(event, "stopped by " + signal_name(event.small("signal").value_or(0)) +
                  " while the group waited to restart");
}

void Builder::time_up(const Fields& event) {
  note(event, "--timeout expired while the group waited to restart");
}

void Builder::keeper_gone(const Fields& event) { note(event, "ddp-launch itself was killed"); }

void Builder::preload_lost(const Fields& event) {
  note(event, "the preloader is gone: " + event.text("why"));
}

void Builder::leftover_killed(const Fields& event) {
  note(event, "process " + std::to_string(event.number("pid")) +
                  " was still running and was killed: " + event.text("command"));
}

void Builder::killed(const Fields& event) {
  note(event, std::to_string(event.number("count")) +
                  (event.flag("by_request") ? " ranks were killed at a second stop request"
                                            : " ranks were killed after the grace period"));
}

void Builder::lost(const Fields& event) { note(event, event.text("what")); }

}  // namespace ddp::history

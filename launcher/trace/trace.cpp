#include "launcher/trace/trace.hpp"

#include "common/utf8.hpp"
#include "launcher/history/read.hpp"
#include "launcher/history/segments.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

namespace ddp::trace {
namespace {

constexpr int kGroup = 0;  // processes
constexpr int kRanks = 1;
constexpr int kAttempts = 0;  // the thread of the group

std::string quoted(std::string_view text) {
  const auto valid = as_utf8(text);
  return boost::json::serialize(boost::json::string(valid.data(), valid.size()));
}

class Trace {
 public:
  explicit Trace(const history::History& history) : history_(history) {}

  std::string write() {
    json_ = R"({"displayTimeUnit":"ms","traceEvents":[)";
    name("process_name", kGroup, 0, "group " + history_.run.run_id);
    name("process_name", kRanks, 0, "ranks");
    name("thread_name", kGroup, kAttempts, "attempts");
    for (int i = 0; i < history_.run.nproc; ++i) {
      const int rank = history_.run.first_rank + i;
      name("thread_name", kRanks, rank, fmt::format("rank {}", rank));
    }
    for (std::size_t i = 0; i < history_.generations.size(); ++i) attempt(i);
    instants();
    json_ += "\n]}\n";
    return std::move(json_);
  }

 private:
  double us(core::TimePoint at) const {
    return static_cast<double>((at - history_.began).count()) / 1e3;
  }
  void begin(std::string_view phase, std::string_view name, int process, int thread) {
    json_ += first_ ? "\n" : ",\n";
    first_ = false;
    fmt::format_to(std::back_inserter(json_), R"({{"ph":"{}","name":{},"pid":{},"tid":{})", phase,
                   quoted(name), process, thread);
  }
  void name(std::string_view what, int process, int thread, const std::string& text) {
    begin("M", what, process, thread);
    fmt::format_to(std::back_inserter(json_), R"(,"args":{{"name":{}}}}})", quoted(text));
  }
  // `args` is the inside of a JSON object.
  void span(std::string_view name, int process, int thread, core::TimePoint from,
            core::TimePoint to, const std::string& args = "") {
    begin("X", name, process, thread);
    fmt::format_to(std::back_inserter(json_), R"(,"ts":{:.3f},"dur":{:.3f},"args":{{{}}}}})",
                   us(from), us(std::max(from, to)) - us(from), args);
  }
  void instant(std::string_view name, int rank, core::TimePoint at, const std::string& text) {
    const bool of_all = rank < history_.run.first_rank;
    begin("i", name, of_all ? kGroup : kRanks, of_all ? kAttempts : rank);
    fmt::format_to(std::back_inserter(json_), R"(,"ts":{:.3f},"s":"{}","args":{{"what":{}}}}})",
                   us(at), of_all ? 'p' : 't', quoted(text));
  }
  void counter(std::string_view name, core::TimePoint at, double value) {
    if (!std::isfinite(value)) return;
    begin("C", name, kGroup, 0);
    fmt::format_to(std::back_inserter(json_), R"(,"ts":{:.3f},"args":{{"{}":{:.9g}}}}})", us(at),
                   name, value);
  }

  void attempt(std::size_t index) {
    const auto& one = history_.generations[index];
    const auto ended = one.ended.value_or(history_.end);
    const auto stopping = one.teardown.value_or(ended);
    span(fmt::format("attempt {}", one.number), kGroup, kAttempts, one.began, ended,
         fmt::format(R"("exit_code":{},"root_cause":{})",
                     one.exit_code ? std::to_string(*one.exit_code) : "null", one.root_cause));
    // Within it, one after the other.
    auto from = one.began;
    const auto until = [&](std::string_view name, core::TimePoint to) {
      to = std::clamp(to, from, ended);
      if (to > from) span(name, kGroup, kAttempts, from, to);
      from = to;
    };
    const bool stepped = !one.points.empty();
    const auto ready = one.ready ? *one.ready : stepped ? one.points.front().at : one.began;
    until(index == 0 ? "start-up" : "recovery", std::min(ready, stopping));
    if (stepped) until("steps", std::min(one.points.back().at, stopping));
    until(!stepped ? "running" : one.teardown ? "detection" : "shutdown", stopping);
    until("teardown", ended);
    if (index + 1 < history_.generations.size())
      span("back-off", kGroup, kAttempts, ended, history_.generations[index + 1].began);
    const auto repeated = repeated_from(history_, index);
    for (const auto& rank : one.ranks) life(one, rank, repeated);
    counters(one);
  }

  void life(const history::Generation& attempt, const history::RankSpan& rank,
            std::optional<core::TimePoint> repeated) {
    const auto activities = segments(attempt, rank, repeated, history_.end);
    if (activities.empty()) return;
    span(fmt::format("attempt {}", attempt.number), kRanks, rank.rank, rank.spawned,
         activities.back().to,
         fmt::format(R"("pid":{},"exit":{})", rank.pid, quoted(exit_text(rank))));
    for (const auto& one : activities)
      span(name_of(one.activity).what, kRanks, rank.rank, one.from, one.to);
    if (died(attempt, rank)) instant("death", rank.rank, *rank.exited, exit_text(rank));
  }

  void counters(const history::Generation& attempt) {
    const history::ProgressPoint* before = nullptr;
    for (const auto& point : attempt.points) {
      counter("step", point.at, static_cast<double>(point.step));
      if (point.loss) counter("loss", point.at, *point.loss);
      if (before != nullptr && point.step > before->step)
        counter("step time (ms)", point.at,
                static_cast<double>((point.at - before->at).count()) / 1e6 /
                    static_cast<double>(point.step - before->step));
      before = &point;
    }
  }

  void instants() {
    for (const auto& one : history_.faults)
      instant(one.refused.empty() ? "fault" : "fault refused", one.rank, one.at, one.text);
    for (const auto& one : history_.hangs) instant("hang", -1, one.at, one.kind);
    for (const auto& one : history_.stragglers)
      instant("straggler", one.rank, one.at, fmt::format("{:.1f}x the median", one.factor));
    for (const auto& one : history_.notes) instant("note", one.rank, one.at, one.text);
  }

  const history::History& history_;
  std::string json_;
  bool first_ = true;
};

}  // namespace

std::string json(const history::History& history) { return Trace(history).write(); }

Result<std::string> of_events(const std::string& events) {
  const auto history = history::read(events);
  if (!history) return Error{history.error()};
  return json(*history);
}

}  // namespace ddp::trace

#include "launcher/report/progress_recorder.hpp"

#include <cmath>
#include <string>
#include <vector>

namespace ddp {
namespace {

// JSON has no number for them.
EventLog::Value number_or_name(double value) {
  if (std::isfinite(value)) return value;
  return std::string(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

}  // namespace

void ProgressRecorder::on(const core::Event& event, core::TimePoint now) {
  core::dispatch(progress_, event, now);
  core::dispatch(*this, event, now);
}

void ProgressRecorder::on(const core::Action& action, core::TimePoint now) {
  core::dispatch(*this, action, now);
  core::dispatch(progress_, action, now);
}

void ProgressRecorder::apply(const core::StartRequested&, core::TimePoint now) {
  goodput_.started(now);
}

void ProgressRecorder::apply(const core::GenerationBegan&, core::TimePoint now) {
  written_.reset();
  goodput_.began(now);
}

void ProgressRecorder::apply(const core::WorkerReady& ready, core::TimePoint now) {
  events_.write(now, "worker_ready",
                {{"gen", std::int64_t{progress_.generation()}},
                 {"rank", std::int64_t{progress_.group().global(ready.local_rank).value}}});
  goodput_.ready(now);
}

bool ProgressRecorder::due(core::TimePoint now) const {
  return written_ ? now - *written_ >= interval_ : progress_.all_step();
}

void ProgressRecorder::apply(const core::WorkerStep&, core::TimePoint now) {
  if (due(now)) write(now);
}

// What was not due yet.
void ProgressRecorder::apply(const core::TeardownBegan&, core::TimePoint now) {
  write(now);
  goodput_.stopping(now);
}

void ProgressRecorder::apply(const core::GenerationOver&, core::TimePoint now) {
  write(now);
  goodput_.ended(now);
}

void ProgressRecorder::apply(const core::Finish&, core::TimePoint now) { goodput_.finished(now); }

std::optional<core::Goodput> ProgressRecorder::goodput() const {
  auto meter = goodput_;
  if (const auto at = progress_.step())
    meter.stepped(at->step, progress_.first_step().value_or(at->step), at->at, at->checkpointing);
  return meter.result();
}

void ProgressRecorder::write(core::TimePoint now) {
  const auto at = progress_.step();
  if (!at || (written_ && at->step == step_)) return;
  written_ = now;
  step_ = at->step;
  const auto first = progress_.first_step().value_or(step_);
  goodput_.stepped(at->step, first, at->at, at->checkpointing);
  if (++lines_ % kLinesPerInterval == 0) interval_ *= 2;
  std::vector<EventLog::Field> fields{{"gen", std::int64_t{progress_.generation()}},
                                      {"step", at->step},
                                      {"at_ns", std::int64_t{at->at.time_since_epoch().count()}},
                                      {"first", first},
                                      {"lead", at->lead},
                                      {"checkpoint_ns", std::int64_t{at->checkpointing.count()}}};
  if (progress_.total_steps()) fields.push_back({"total", *progress_.total_steps()});
  if (const auto rate = progress_.rate()) fields.push_back({"rate", *rate});
  if (at->loss) fields.push_back({"loss", number_or_name(*at->loss)});
  if (at->slowest) {
    fields.push_back({"slowest", std::int64_t{progress_.group().global(*at->slowest).value}});
    fields.push_back({"slowest_ns", std::int64_t{at->slowest_busy.count()}});
    fields.push_back({"median_ns", std::int64_t{at->busy_median->count()}});
  }
  events_.write(now, "progress", fields);
}

}  // namespace ddp

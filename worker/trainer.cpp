#include "worker/trainer.hpp"

#include "worker/base/digest.hpp"
#include "worker/base/failure.hpp"
#include "worker/base/random.hpp"
#include "worker/base/stop.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numbers>

namespace ddp::worker {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// PyTorch DDP's sizes: a small first bucket, so that communication begins early.
constexpr std::size_t kFirstBucketBytes = std::size_t{1} << 20;
constexpr std::size_t kBucketBytes = std::size_t{25} << 20;

// For the last report to the launcher.
constexpr std::chrono::seconds kLastWords{1};

// The most held-out samples that a validation uses, evenly spread.
constexpr std::size_t kMostValidationSamples = 65536;

}  // namespace

std::size_t largest_part(const Options& options, int world_size) {
  const std::size_t share =
      ceil_div(static_cast<std::size_t>(options.batch), static_cast<std::size_t>(world_size));
  return ceil_div(share, static_cast<std::size_t>(options.accumulate));
}

Trainer::Trainer(const Parts& parts)
    : options_(parts.options),
      corpus_(parts.corpus),
      engine_(parts.engine),
      communicator_(parts.communicator),
      checkpoints_(parts.checkpoints),
      notifier_(parts.notifier),
      faults_(parts.faults),
      report_(parts.report),
      sampler_(corpus_.training.samples(), static_cast<std::uint64_t>(options_.batch),
               options_.seed, communicator_.rank(), communicator_.world_size()),
      buckets_(make_buckets(engine_.layout(), kFirstBucketBytes, kBucketBytes)) {}

void Trainer::run() {
  report_.start({.backend = std::string(communicator_.backend()),
                 .device = engine_.device(),
                 .world_size = communicator_.world_size(),
                 .model = options_.model,
                 .parameters = engine_.layout().parameters,
                 .buckets = buckets_.size(),
                 .data = options_.data,
                 .training_bytes = corpus_.training.bytes(),
                 .validation_bytes = corpus_.validation.bytes(),
                 .order0_entropy = corpus_.training.order0_entropy()});
  const std::int64_t done = checkpoints_.restore();
  watch_for_stop();
  notifier_.total_steps(options_.steps);
  notifier_.ready();

  Summary summary;
  summary.world_size = communicator_.world_size();
  summary.first_step = done;
  const bool finished = train(done, summary);
  summary.communication = communicator_.take_statistics();
  summary.samples_per_second = static_cast<double>(options_.batch) *
                               static_cast<double>(summary.steps - done) /
                               std::max(summary.seconds, 1e-9);
  if (finished) {
    validate(summary.steps);
  } else {
    report_.note("stopped after step " + std::to_string(summary.steps) + " of " +
                 std::to_string(options_.steps) + " on request");
  }
  summary.digest = verified_digest();
  report_.summary(summary);
  if (finished && options_.generate > 0 && communicator_.rank() == 0)
    report_.generated(generate(options_.generate));
  notifier_.digest(summary.digest);
  faults_.phase("done");
  notifier_.flush(kLastWords);
}

bool Trainer::train(std::int64_t done, Summary& summary) {
  double line_seconds = 0;
  std::int64_t line_steps = 0;
  bool stopped = false;
  faults_.phase("train");
  summary.steps = done;
  for (std::int64_t step = done + 1; step <= options_.steps && !stopped; ++step) {
    const auto begin = Clock::now();
    const StepOutcome outcome = train_step(step);
    const double seconds = seconds_since(begin);
    // Checked before a checkpoint is written.
    if (!std::isfinite(outcome.loss) || !std::isfinite(outcome.gradient_norm)) {
      throw Failure(std::string("the ") + (std::isfinite(outcome.loss) ? "gradient" : "loss") +
                    " is not finite in step " + std::to_string(step) +
                    ": a smaller --lr, or --grad-clip, may help");
    }
    faults_.end_step(step, {{"loss", outcome.loss},
                            {"gradient_norm", outcome.gradient_norm},
                            {"samples_per_second", options_.batch / seconds},
                            {std::string(kBusySeconds), busy_seconds_}});
    stopped = outcome.stop && step != options_.steps;
    summary.seconds += seconds;
    summary.steps = step;
    if (step == done + 1) summary.first_loss = outcome.loss;
    summary.last_loss = outcome.loss;
    line_seconds += seconds;
    ++line_steps;
    const bool last = stopped || step == options_.steps;
    if (step == 1 || step % options_.log_every == 0 || last) {
      const double per_step = line_seconds / static_cast<double>(line_steps);
      report_.step({step, outcome.loss, outcome.gradient_norm, learning_rate(step), per_step,
                    options_.batch / per_step});
      line_seconds = 0;
      line_steps = 0;
    }
    if (checkpoints_.enabled() && (last || checkpoints_.due(step))) {
      faults_.phase("checkpoint");
      checkpoints_.save(step);
      faults_.phase("train");
    }
    if (options_.eval_every > 0 && step % options_.eval_every == 0 && !last) validate(step);
  }
  return !stopped;
}

double Trainer::learning_rate(std::int64_t step) const {
  const double rise =
      options_.warmup > 0
          ? std::min(1.0, static_cast<double>(step) / static_cast<double>(options_.warmup))
          : 1.0;
  return options_.learning_rate * rise;
}

void Trainer::fill(std::span<const std::uint64_t> samples, const Text& text) {
  contexts_.clear();
  targets_.clear();
  for (const std::uint64_t sample : samples) {
    const auto context = text.context_of(sample);
    contexts_.insert(contexts_.end(), context.begin(), context.end());
    targets_.push_back(text.target_of(sample));
  }
}

void Trainer::start_buckets(std::size_t ready_end, std::int64_t step) {
  for (; next_bucket_ < buckets_.size() && buckets_[next_bucket_].end <= ready_end;
       ++next_bucket_) {
    const Range& range = buckets_[next_bucket_];
    damage(range);
    communicator_.start(engine_.gradients().subspan(range.begin, range.size()), step,
                        static_cast<int>(next_bucket_));
  }
}

void Trainer::take_faults(std::int64_t step) {
  faults_.begin_step(step);
  for (const auto& injection :
       faults_.take(step, {fault::Kind::skip_allreduce, fault::Kind::die_in_allreduce})) {
    communicator_.sabotage(injection.kind == fault::Kind::skip_allreduce ? Sabotage::skip
                                                                         : Sabotage::die);
  }
  gradient_faults_ = faults_.take(step, {fault::Kind::nan, fault::Kind::bitflip});
}

void Trainer::damage(const Range& bucket) {
  const Layout& layout = engine_.layout();
  for (const auto& injection : gradient_faults_) {
    const std::size_t element = layout.element_of(injection.choice % layout.parameters);
    if (element >= bucket.begin && element < bucket.end)
      engine_.change_gradient(element,
                              [&](float value) { return fault::damaged(injection, value); });
  }
}

StepOutcome Trainer::train_step(std::int64_t step) {
  const auto begun = Clock::now();
  const std::vector<std::uint64_t> share = sampler_.share(static_cast<std::uint64_t>(step - 1));
  const std::span<const std::uint64_t> samples(share);
  // Every rank uses the same number of parts; the last ones may be empty.
  const std::size_t part_size = largest_part(options_, communicator_.world_size());
  const std::size_t parts = static_cast<std::size_t>(options_.accumulate);
  next_bucket_ = 0;
  take_faults(step);
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t begin = std::min(part * part_size, samples.size());
    const std::size_t end = std::min(begin + part_size, samples.size());
    notifier_.alive();
    fill(samples.subspan(begin, end - begin), corpus_.training);
    engine_.forward_backward({contexts_, targets_},
                             {.scale = 1.0f / static_cast<float>(options_.batch),
                              .first = part == 0,
                              .last = part + 1 == parts,
                              .request_stop = stop_requested()},
                             [&](std::size_t ready_end) {
                               if (options_.overlap) start_buckets(ready_end, step);
                             });
  }
  start_buckets(engine_.layout().size, step);
  busy_seconds_ = seconds_since(begun);
  communicator_.finish();
  return engine_.update({.learning_rate = learning_rate(step),
                         .weight_decay = options_.weight_decay,
                         .grad_clip = options_.grad_clip},
                        step);
}

double Trainer::validate(std::int64_t step) {
  const std::size_t available = corpus_.validation.samples();
  if (available == 0) return 0;
  faults_.phase("validate");
  const std::size_t count = std::min(available, kMostValidationSamples);
  const std::size_t part_size = largest_part(options_, communicator_.world_size());
  const auto rank = static_cast<std::size_t>(communicator_.rank());
  const auto ranks = static_cast<std::size_t>(communicator_.world_size());
  double sum = 0;
  std::vector<std::uint64_t> part;
  for (std::size_t i = rank; i < count; i += ranks) {
    part.push_back(i * available / count);
    if (part.size() == part_size || i + ranks >= count) {
      notifier_.alive();
      fill(part, corpus_.validation);
      sum += engine_.evaluate({contexts_, targets_});
      part.clear();
    }
  }
  communicator_.sum({&sum, 1});
  const double bits = sum / static_cast<double>(count) / std::numbers::ln2;
  report_.validation(step, bits);
  faults_.phase("train");
  return bits;
}

std::string Trainer::verified_digest() {
  const TrainingState state = engine_.save();
  const Digest own = digest_of(std::as_bytes(std::span(state.parameters)));
  Digest first = own;
  communicator_.broadcast(std::as_writable_bytes(std::span(first)), 0);
  // The sum is not 0 on any rank if one rank differs.
  double different = first == own ? 0 : 1;
  communicator_.sum({&different, 1});
  if (different > 0) {
    throw Failure("the ranks' parameters differ: " + std::to_string(static_cast<int>(different)) +
                  " of " + std::to_string(communicator_.world_size()) +
                  " ranks disagree with rank 0");
  }
  return to_text(own);
}

std::string Trainer::generate(int bytes) {
  faults_.phase("generate");
  const auto start = corpus_.training.context_of(0);
  std::vector<std::uint8_t> window(start.begin(), start.end());
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    notifier_.alive();
    std::vector<float> p = engine_.predict(window);
    double total = 0;
    std::vector<double> weight(p.size());
    for (std::size_t b = 0; b < p.size(); ++b)
      total += weight[b] = std::pow(static_cast<double>(p[b]), 1 / options_.temperature);
    double left = unit(mix(mix(options_.seed, 0x67656e), static_cast<std::uint64_t>(i))) * total;
    std::size_t byte = 0;
    while (byte + 1 < weight.size() && (left -= weight[byte]) >= 0) ++byte;
    text.push_back(static_cast<char>(byte));
    window.erase(window.begin());
    window.push_back(static_cast<std::uint8_t>(byte));
  }
  return text;
}

}  // namespace ddp::worker

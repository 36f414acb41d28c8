#include "worker/model/blas_core.hpp"
#include "worker/model/cpu_ops.hpp"
#include "worker/model/engine.hpp"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cassert>
#include <cmath>

namespace ddp::worker {
namespace {

// Moments of parameters that are seldom used decay into denormal numbers, which are slow to compute
// with and mean nothing: they count as zero from here on, in this thread and those it starts.
void flush_denormals() {
#ifdef __SSE2__
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#endif
}

class CpuEngine final : public Engine {
 public:
  CpuEngine(const ModelShape& shape, std::size_t max_batch, std::uint64_t seed)
      : layout_(shape),
        parameters_(layout_.size),
        gradients_(layout_.size),
        first_moment_(layout_.size),
        second_moment_(layout_.size),
        model_(ops_, layout_, max_batch) {
    initialize(layout_, seed, parameters_.span());
  }

  std::string device() const override { return "CPU: " + describe_blas(); }
  const Layout& layout() const override { return layout_; }
  std::span<float> gradients() override { return gradients_.span(); }

  void forward_backward(const Batch& batch, const Part& part,
                        const std::function<void(std::size_t)>& ready) override {
    if (part.last) gradients_.data()[Layout::kStopSlot] = part.request_stop ? 1.0f : 0.0f;
    model_.forward_backward(parameters_.data(), gradients_.data(), batch, part.scale, !part.first,
                            [&](std::size_t end) {
                              if (part.last) ready(end);
                            });
  }

  StepOutcome update(const OptimizerSettings& settings, std::int64_t step) override {
    StepOutcome outcome;
    outcome.loss = static_cast<double>(gradients_.data()[Layout::kLossSlot]);
    outcome.stop = gradients_.data()[Layout::kStopSlot] > 0;
    AdamWStep adamw{settings.learning_rate,
                    settings.beta1,
                    settings.beta2,
                    settings.epsilon,
                    settings.weight_decay,
                    1 - std::pow(settings.beta1, static_cast<double>(step)),
                    1 - std::pow(settings.beta2, static_cast<double>(step)),
                    1};
    if (settings.grad_clip > 0) {
      outcome.gradient_norm = std::sqrt(ops_.squared_norm(gradients_.data() + Layout::kHeader,
                                                          gradients_.size() - Layout::kHeader));
      if (outcome.gradient_norm > settings.grad_clip)
        adamw.gradient_scale = settings.grad_clip / outcome.gradient_norm;
    }
    for (const Segment& s : layout_.segments) {
      adamw.weight_decay = s.decays ? settings.weight_decay : 0;
      ops_.adamw(parameters_.data() + s.offset, gradients_.data() + s.offset,
                 first_moment_.data() + s.offset, second_moment_.data() + s.offset, s.size(),
                 adamw);
    }
    return outcome;
  }

  double evaluate(const Batch& batch) override {
    return model_.evaluate(parameters_.data(), batch);
  }

  std::vector<float> predict(std::span<const std::uint8_t> context) override {
    const std::uint8_t any = 0;  // only the probabilities are of interest
    model_.evaluate(parameters_.data(), {context, {&any, 1}});
    const float* const p = model_.probabilities().data();
    return {p, p + kVocabulary};
  }

  TrainingState save() override {
    const auto copy = [](AlignedArray<float>& from) {
      return std::vector<float>(from.span().begin(), from.span().end());
    };
    return {copy(parameters_), copy(first_moment_), copy(second_moment_)};
  }

  void load(const TrainingState& state) override {
    const auto copy = [](const std::vector<float>& from, AlignedArray<float>& to) {
      assert(from.size() == to.size());
      std::copy(from.begin(), from.end(), to.data());
    };
    copy(state.parameters, parameters_);
    copy(state.first_moment, first_moment_);
    copy(state.second_moment, second_moment_);
  }

 private:
  CpuOps<float> ops_;
  Layout layout_;
  AlignedArray<float> parameters_;
  AlignedArray<float> gradients_;
  AlignedArray<float> first_moment_;
  AlignedArray<float> second_moment_;
  Model<CpuOps<float>> model_;
};

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const ModelShape& shape, std::size_t max_batch,
                                        std::uint64_t seed) {
  flush_denormals();
  return std::make_unique<CpuEngine>(shape, max_batch, seed);
}

}  // namespace ddp::worker

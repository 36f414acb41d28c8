// An Engine over the operators of a device: parameters, gradients and AdamW's moments, each in one
// flat buffer, and the model that uses them.
#pragma once

#include "worker/model/engine.hpp"
#include "worker/model/kernels.hpp"
#include "worker/model/layout.hpp"
#include "worker/model/model.hpp"

#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ddp::worker {

// Ops::Scalar is float.
template <class Ops>
class ModelEngine final : public Engine {
 public:
  ModelEngine(std::unique_ptr<Ops> ops, std::string device, const ModelShape& shape,
              std::size_t max_batch, std::uint64_t seed)
      : ops_(std::move(ops)),
        device_(std::move(device)),
        layout_(shape),
        parameters_(ops_->allocate(layout_.size)),
        gradients_(ops_->allocate(layout_.size)),
        first_moment_(ops_->allocate(layout_.size)),
        second_moment_(ops_->allocate(layout_.size)),
        model_(*ops_, layout_, max_batch) {
    std::vector<float> initial(layout_.size);
    initialize(layout_, seed, initial);
    ops_->copy_in(parameters_.data(), initial);
  }

  std::string device() const override { return device_; }
  const Layout& layout() const override { return layout_; }
  std::span<float> gradients() override { return {gradients_.data(), gradients_.size()}; }

  void forward_backward(const Batch& batch, const Part& part,
                        const std::function<void(std::size_t)>& ready) override {
    if (part.last) {
      const float stop = part.request_stop ? 1.0f : 0.0f;
      ops_->copy_in(gradients_.data() + Layout::kStopSlot, {&stop, 1});
    }
    model_.forward_backward(parameters_.data(), gradients_.data(), batch, part.scale, !part.first,
                            [&](std::size_t end) {
                              if (part.last) ready(end);
                            });
  }

  void change_gradient(std::size_t element, const std::function<float(float)>& change) override {
    float value = 0;
    ops_->copy_out({&value, 1}, gradients_.data() + element);
    value = change(value);
    ops_->copy_in(gradients_.data() + element, {&value, 1});
  }

  StepOutcome update(const OptimizerSettings& settings, std::int64_t step) override {
    float header[2] = {};
    static_assert(Layout::kLossSlot == 0 && Layout::kStopSlot == 1);
    ops_->copy_out(header, gradients_.data());
    StepOutcome outcome;
    outcome.loss = static_cast<double>(header[Layout::kLossSlot]);
    outcome.stop = header[Layout::kStopSlot] > 0;
    AdamWStep adamw{settings.learning_rate,
                    settings.beta1,
                    settings.beta2,
                    settings.epsilon,
                    settings.weight_decay,
                    1 - std::pow(settings.beta1, static_cast<double>(step)),
                    1 - std::pow(settings.beta2, static_cast<double>(step)),
                    1};
    if (settings.grad_clip > 0) {
      const double squared =
          ops_->squared_norm(gradients_.data() + Layout::kHeader, layout_.size - Layout::kHeader);
      // Beyond float it is as good as infinite, whether the device sums squares in float or not: a
      // flipped bit of an exponent, not a gradient.
      outcome.gradient_norm =
          squared <= static_cast<double>(std::numeric_limits<float>::max()) || std::isnan(squared)
              ? std::sqrt(squared)
              : std::numeric_limits<double>::infinity();
      if (outcome.gradient_norm > settings.grad_clip)
        adamw.gradient_scale = settings.grad_clip / outcome.gradient_norm;
    }
    for (const Segment& s : layout_.segments) {
      adamw.weight_decay = s.decays ? settings.weight_decay : 0;
      ops_->adamw(parameters_.data() + s.offset, gradients_.data() + s.offset,
                  first_moment_.data() + s.offset, second_moment_.data() + s.offset, s.size(),
                  adamw);
    }
    return outcome;
  }

  double evaluate(const Batch& batch) override {
    return model_.evaluate(parameters_.data(), batch);
  }

  std::vector<float> predict(std::span<const std::uint8_t> context) override {
    const std::uint8_t any = 0;  // unused: only the probabilities count
    model_.evaluate(parameters_.data(), {context, {&any, 1}});
    std::vector<float> probabilities(kVocabulary);
    ops_->copy_out(probabilities, model_.probabilities().data());
    return probabilities;
  }

  TrainingState save() override {
    const auto copy = [&](const Array& from) {
      std::vector<float> to(layout_.size);
      ops_->copy_out(to, from.data());
      return to;
    };
    return {copy(parameters_), copy(first_moment_), copy(second_moment_)};
  }

  void load(const TrainingState& state) override {
    const auto copy = [&](const std::vector<float>& from, Array& to) {
      assert(from.size() == layout_.size);
      ops_->copy_in(to.data(), from);
    };
    copy(state.parameters, parameters_);
    copy(state.first_moment, first_moment_);
    copy(state.second_moment, second_moment_);
  }

 private:
  using Array = typename Ops::Array;

  std::unique_ptr<Ops> ops_;
  std::string device_;
  Layout layout_;
  Array parameters_;
  Array gradients_;
  Array first_moment_;
  Array second_moment_;
  Model<Ops> model_;
};

}  // namespace ddp::worker

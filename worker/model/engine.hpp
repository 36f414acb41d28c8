// Room: worker/model. The model, its forward and backward passes, and the CPU's operators.
// Includes: worker/base. Included by: worker, worker/checkpoint, worker/cli, worker/gpu.
//
// The interface between the trainer and a model with its parameters, gradients and optimizer on a
// device.
#pragma once

#include "worker/model/layout.hpp"
#include "worker/model/model.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ddp::worker {

struct OptimizerSettings {
  double learning_rate = 1e-3;  // of this step
  double weight_decay = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double grad_clip = 0;  // largest global norm; 0: no clipping
};

// The sums over all ranks for a step, once the buckets are reduced.
struct StepOutcome {
  double loss = 0;           // mean over the global batch, in nats
  double gradient_norm = 0;  // before clipping; 0 where it was not needed
  bool stop = false;         // some rank asked to stop
};

// Everything that a checkpoint must hold to continue bit for bit: flat buffers in the order of
// Layout.
struct TrainingState {
  std::vector<float> parameters;
  std::vector<float> first_moment;
  std::vector<float> second_moment;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string device() const = 0;  // for the log: "CPU, 1 thread"
  virtual const Layout& layout() const = 0;

  // The flat gradient buffer, which the communicator reduces.
  virtual std::span<float> gradients() = 0;

  // Adds the gradient of scale * sum of losses of a batch to the step's gradients and loss; the
  // first batch of a step overwrites them. On the last batch of a step, stores `request_stop` next
  // to the loss and calls `ready(end)` as gradients()[0, end) become final.
  struct Part {
    float scale = 1;
    bool first = true;
    bool last = true;
    bool request_stop = false;
  };
  virtual void forward_backward(const Batch& batch, const Part& part,
                                const std::function<void(std::size_t end)>& ready) = 0;

  // Replaces element `element` of gradients(). Call between ready(end > element) and update().
  virtual void change_gradient(std::size_t element, const std::function<float(float)>& change) = 0;

  // Call after the buckets are reduced: clips the gradient and updates the parameters by AdamW.
  // `step` counts from 1.
  virtual StepOutcome update(const OptimizerSettings& settings, std::int64_t step) = 0;

  // The sum of -log p(target) over the batch, in nats.
  virtual double evaluate(const Batch& batch) = 0;
  // p(next byte | context), 256 numbers.
  virtual std::vector<float> predict(std::span<const std::uint8_t> context) = 0;

  virtual TrainingState save() = 0;
  virtual void load(const TrainingState& state) = 0;
};

// An engine on the CPU, in float, for up to `max_batch` samples at a time.
std::unique_ptr<Engine> make_cpu_engine(const ModelShape& shape, std::size_t max_batch,
                                        std::uint64_t seed);

}  // namespace ddp::worker

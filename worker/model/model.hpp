// The byte-level language model after Bengio et al. 2003: the concatenated embeddings of the last K
// bytes, L hidden layers with GELU, a softmax over the 256 bytes. Forward and backward, written
// once over the operators of a device (cpu_ops.hpp).
//
// Shapes, for n samples: x0 [n x K*E] -> a1 … aL [n x H] -> logits [n x 256].
#pragma once

#include "worker/model/layout.hpp"

#include <algorithm>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace ddp::worker {

// Samples of one rank: contexts [n x K] and the byte that follows each [n].
struct Batch {
  std::span<const std::uint8_t> contexts;
  std::span<const std::uint8_t> targets;
  std::size_t size() const { return targets.size(); }
};

template <class Ops>
class Model {
 public:
  using T = typename Ops::Scalar;
  using Array = typename Ops::Array;

  // For up to `max_batch` samples at a time.
  Model(Ops& ops, const Layout& layout, std::size_t max_batch)
      : ops_(ops),
        layout_(layout),
        context_(static_cast<std::size_t>(layout.shape.context)),
        embed_(static_cast<std::size_t>(layout.shape.embed)),
        hidden_(static_cast<std::size_t>(layout.shape.hidden)),
        layers_(static_cast<std::size_t>(layout.shape.layers)),
        max_batch_(max_batch),
        contexts_(ops.allocate_bytes(max_batch * context_)),
        targets_(ops.allocate_bytes(max_batch)),
        logits_(ops.allocate(max_batch * kVocabulary)) {
    // activations_[0] is the input of layer 0, activations_[l + 1] the output of layer l.
    activations_.push_back(ops.allocate(max_batch * context_ * embed_));
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      activations_.push_back(ops.allocate(max_batch * hidden_));
      derivatives_.push_back(ops.allocate(max_batch * hidden_));
    }
    const std::size_t widest = std::max(hidden_, context_ * embed_);
    d_ = ops.allocate(max_batch * widest);
    d_next_ = ops.allocate(max_batch * widest);
  }

  std::size_t max_batch() const { return max_batch_; }

  // Computes the loss scale * (sum over the batch of -log p(target)) and its gradients. Writes them
  // to `gradients` (the loss to its place in the header) or, with `accumulate`, adds them. Calls
  // `ready(end)` each time all of gradients[0, end) is final.
  template <std::invocable<std::size_t> Ready>
  void forward_backward(const T* parameters, T* gradients, const Batch& batch, T scale,
                        bool accumulate, Ready&& ready) {
    const std::size_t n = forward(parameters, batch);
    const Segment& out = layout_.output_weight();
    const std::size_t bias = layout_.output_bias().offset;
    ops_.softmax_cross_entropy(logits_.data(), parameters + bias, targets_.data(), scale,
                               gradients + bias, gradients + Layout::kLossSlot, accumulate, n);
    ops_.linear_weight_gradient(logits_.data(), activations_[layers_].data(),
                                gradients + out.offset, accumulate, n, hidden_, kVocabulary);
    ready(out.offset + out.size());
    ops_.linear_input_gradient(logits_.data(), parameters + out.offset, d_.data(), n, hidden_,
                               kVocabulary);
    for (std::size_t layer = layers_; layer-- > 0;)
      backward_layer(parameters, gradients, layer, n, accumulate, ready);

    const Segment& table = layout_.embedding();
    if (!accumulate) ops_.zero(gradients + table.offset, table.size());
    ops_.scatter_add(d_.data(), contexts_.data(), gradients + table.offset, n, context_, embed_);
    ready(layout_.size);
  }

  // Returns the sum of -log p(target) over the batch; probabilities() then holds [n x 256].
  double evaluate(const T* parameters, const Batch& batch) {
    const std::size_t n = forward(parameters, batch);
    return ops_.softmax_loss(logits_.data(), parameters + layout_.output_bias().offset,
                             targets_.data(), n);
  }
  const Array& probabilities() const { return logits_; }

 private:
  // Computes the logits without their bias. Returns the number of samples.
  std::size_t forward(const T* parameters, const Batch& batch) {
    const std::size_t n = batch.size();
    assert(n <= max_batch_ && batch.contexts.size() == n * context_);
    ops_.copy_in(contexts_.data(), batch.contexts);
    ops_.copy_in(targets_.data(), batch.targets);
    ops_.gather(parameters + layout_.embedding().offset, contexts_.data(), activations_[0].data(),
                n, context_, embed_);
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      const Segment& weight = layout_.hidden_weight(static_cast<int>(layer));
      const Segment& bias = layout_.hidden_bias(static_cast<int>(layer));
      T* const z = derivatives_[layer].data();
      ops_.linear(activations_[layer].data(), parameters + weight.offset, z, n, weight.cols,
                  hidden_);
      ops_.bias_gelu(z, parameters + bias.offset, activations_[layer + 1].data(), n, hidden_);
    }
    ops_.linear(activations_[layers_].data(), parameters + layout_.output_weight().offset,
                logits_.data(), n, hidden_, kVocabulary);
    return n;
  }

  // d_ holds the gradient of the layer's output, and afterwards of its input.
  template <class Ready>
  void backward_layer(const T* parameters, T* gradients, std::size_t layer, std::size_t n,
                      bool accumulate, Ready& ready) {
    const Segment& weight = layout_.hidden_weight(static_cast<int>(layer));
    const Segment& bias = layout_.hidden_bias(static_cast<int>(layer));
    ops_.gelu_backward(d_.data(), derivatives_[layer].data(), gradients + bias.offset, accumulate,
                       n, hidden_);
    ops_.linear_weight_gradient(d_.data(), activations_[layer].data(), gradients + weight.offset,
                                accumulate, n, weight.cols, hidden_);
    ready(weight.offset + weight.size());
    ops_.linear_input_gradient(d_.data(), parameters + weight.offset, d_next_.data(), n,
                               weight.cols, hidden_);
    std::swap(d_, d_next_);
  }

  Ops& ops_;
  const Layout& layout_;
  std::size_t context_;
  std::size_t embed_;
  std::size_t hidden_;
  std::size_t layers_;
  std::size_t max_batch_;
  typename Ops::Bytes contexts_;
  typename Ops::Bytes targets_;
  Array logits_;
  std::vector<Array> activations_;
  std::vector<Array> derivatives_;  // of each layer's GELU
  Array d_;
  Array d_next_;
};

}  // namespace ddp::worker

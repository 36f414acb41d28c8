// The position of each parameter in the flat buffers of parameters, gradients and optimizer state,
// and the division of gradients into buckets.
//
// The order is that in which the backward pass completes gradients: output layer first, embedding
// last. So a bucket is a contiguous range, and it is ready once all gradients before its last
// element are. The first kHeader elements belong to no parameter: the loss and the stop request,
// which the ranks sum too, travel in the first bucket at no cost.
#pragma once

#include "worker/model/vocabulary.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ddp::worker {

struct ModelShape {
  int context = 6;   // bytes of context
  int embed = 16;    // width of a byte's embedding
  int hidden = 128;  // width of a hidden layer
  int layers = 1;    // hidden layers
  bool operator==(const ModelShape&) const = default;
};

struct Segment {
  std::string name;        // as in the PyTorch module of the parity test: "hidden.0.weight"
  std::size_t offset = 0;  // elements from the start of the flat buffer; a multiple of kAlign
  std::size_t rows = 0;    // a weight is [out x in], row-major; a bias [1 x out]
  std::size_t cols = 0;
  bool decays = false;  // weight decay: matrices yes, biases no
  std::size_t size() const { return rows * cols; }
};

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};

struct Layout {
  // Segments start at multiples of a cache line of floats. Gaps always hold zeros.
  static constexpr std::size_t kAlign = 16;
  static constexpr std::size_t kHeader = kAlign;
  static constexpr std::size_t kLossSlot = 0;
  static constexpr std::size_t kStopSlot = 1;

  explicit Layout(const ModelShape& shape);

  ModelShape shape;
  std::vector<Segment> segments;
  std::size_t size = 0;        // of the flat buffer, header included
  std::size_t parameters = 0;  // without header and gaps

  // The position of parameter number `index` of `parameters` in the flat buffer.
  std::size_t element_of(std::size_t index) const;

  // Layer l of 0 … layers-1 counts from the input.
  const Segment& hidden_weight(int layer) const;
  const Segment& hidden_bias(int layer) const;
  const Segment& output_weight() const;
  const Segment& output_bias() const;
  const Segment& embedding() const;
};

// Divides [0, layout.size) at segment ends into buckets of at most `bytes` (the first:
// `first_bytes`, so that communication begins early), as PyTorch's DDP does; a segment larger than
// that is a bucket by itself. `element` is the size of a gradient element.
std::vector<Range> make_buckets(const Layout& layout, std::size_t first_bytes, std::size_t bytes,
                                std::size_t element = sizeof(float));

// Initial parameters, a function of seed and position alone: the same on every rank and for every
// world size. Weights uniform with He's variance 2/fan_in (output: 1/(3 fan_in)), embeddings with
// variance 1, biases 0.
void initialize(const Layout& layout, std::uint64_t seed, std::span<float> parameters);

}  // namespace ddp::worker

#include "worker/model/layout.hpp"

#include "worker/base/random.hpp"

#include <cassert>
#include <cmath>

namespace ddp::worker {
namespace {

constexpr std::size_t aligned(std::size_t n) {
  return (n + Layout::kAlign - 1) / Layout::kAlign * Layout::kAlign;
}

}  // namespace

Layout::Layout(const ModelShape& s) : shape(s), size(kHeader) {
  assert(s.context > 0 && s.embed > 0 && s.hidden > 0 && s.layers > 0);
  const auto add = [&](std::string name, int rows, int cols, bool decays) {
    Segment segment{std::move(name), size, static_cast<std::size_t>(rows),
                    static_cast<std::size_t>(cols), decays};
    size += aligned(segment.size());
    parameters += segment.size();
    segments.push_back(std::move(segment));
  };
  add("output.bias", 1, kVocabulary, false);
  add("output.weight", kVocabulary, s.hidden, true);
  for (int layer = s.layers - 1; layer >= 0; --layer) {
    const std::string name = "hidden." + std::to_string(layer);
    add(name + ".bias", 1, s.hidden, false);
    add(name + ".weight", s.hidden, layer == 0 ? s.context * s.embed : s.hidden, true);
  }
  add("embedding.weight", kVocabulary, s.embed, true);
}

std::size_t Layout::element_of(std::size_t index) const {
  for (const Segment& segment : segments) {
    if (index < segment.size()) return segment.offset + index;
    index -= segment.size();
  }
  assert(false && "index < parameters");
  return kHeader;
}

const Segment& Layout::output_bias() const { return segments[0]; }
const Segment& Layout::output_weight() const { return segments[1]; }
const Segment& Layout::embedding() const { return segments.back(); }

const Segment& Layout::hidden_bias(int layer) const {
  return segments[static_cast<std::size_t>(2 * (shape.layers - layer))];
}

const Segment& Layout::hidden_weight(int layer) const {
  return segments[static_cast<std::size_t>(2 * (shape.layers - layer) + 1)];
}

std::vector<Range> make_buckets(const Layout& layout, std::size_t first_bytes, std::size_t bytes,
                                std::size_t element) {
  std::vector<Range> buckets;
  Range current{0, Layout::kHeader};
  for (std::size_t i = 0; i < layout.segments.size(); ++i) {
    const std::size_t end =
        i + 1 < layout.segments.size() ? layout.segments[i + 1].offset : layout.size;
    const std::size_t limit = buckets.empty() ? first_bytes : bytes;
    const bool holds_a_segment = current.end > current.begin && current.end > Layout::kHeader;
    if (holds_a_segment && (end - current.begin) * element > limit) {
      buckets.push_back(current);
      current.begin = current.end;
    }
    current.end = end;
  }
  buckets.push_back(current);
  return buckets;
}

void initialize(const Layout& layout, std::uint64_t seed, std::span<float> parameters) {
  assert(parameters.size() == layout.size);
  for (float& p : parameters) p = 0;
  for (std::size_t s = 0; s < layout.segments.size(); ++s) {
    const Segment& segment = layout.segments[s];
    if (segment.rows == 1) continue;  // biases
    const double fan_in = static_cast<double>(segment.cols);
    double variance = 2 / fan_in;
    if (&segment == &layout.output_weight()) variance = 1 / (3 * fan_in);
    if (&segment == &layout.embedding()) variance = 1;
    const double bound = std::sqrt(3 * variance);
    const std::uint64_t key = mix(seed, s);
    for (std::size_t i = 0; i < segment.size(); ++i)
      parameters[segment.offset + i] = static_cast<float>(bound * (2 * unit(mix(key, i)) - 1));
  }
}

}  // namespace ddp::worker

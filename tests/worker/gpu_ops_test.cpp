// Every operator on the GPU against the same operator on the CPU in double precision, and one whole
// backward pass. Ends with 77, CTest's "skipped", where there is no device.
//
// Bounds are relative to the largest element expected: fp32 differs by the order of sums and the
// last bits of exp and log; bf16 rounds each operand of a product to 8 bits.
#define DOCTEST_CONFIG_IMPLEMENT
#include "worker/base/random.hpp"
#include "worker/gpu/cuda_ops.hpp"
#include "worker/model/cpu_ops.hpp"
#include "worker/model/layout.hpp"
#include "worker/model/model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace ddp::worker;
using gpu::CudaOps;

constexpr double kFp32 = 2e-5;
constexpr double kBf16 = 2e-2;

// Shapes that are no multiple of a block, a warp or a vector, and wide ones.
struct Shape {
  std::size_t n, in, out;
};
constexpr Shape kShapes[] = {{1, 1, 1}, {3, 5, 7}, {33, 65, 129}, {256, 512, 384}};

using Values = std::vector<float>;

Values random_values(std::size_t n, std::uint64_t key) {
  Values values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(2 * unit(mix(key, i)) - 1);
  return values;
}

std::vector<std::uint8_t> random_bytes(std::size_t n, std::uint64_t key) {
  std::vector<std::uint8_t> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(mix(key, i));
  return bytes;
}

// The largest difference by the largest expected element; infinite where one is no number.
double difference(const Values& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  double worst = 0;
  double largest = 1e-30;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double d = std::abs(static_cast<double>(found[i]) - expected[i]);
    worst = std::isfinite(d) ? std::max(worst, d) : INFINITY;
    largest = std::max(largest, std::abs(expected[i]));
  }
  return worst / largest;
}

// Both devices side by side: the same values go to each, and come back to be compared.
class Pair {
 public:
  explicit Pair(DataType type = DataType::fp32, std::size_t embed = 8, std::size_t batch = 256)
      : cuda(stream_.get(), type, 512 * 512, embed, batch) {}

  struct Array {
    CudaOps::Array on_gpu;
    CpuOps<double>::Array on_cpu;
  };
  Array array(const Values& values) {
    Array both{cuda.allocate(values.size()), cpu.allocate(values.size())};
    cuda.copy_in(both.on_gpu.data(), values);
    std::copy(values.begin(), values.end(), both.on_cpu.data());
    return both;
  }
  struct Bytes {
    CudaOps::Bytes on_gpu;
    CpuOps<double>::Bytes on_cpu;
  };
  Bytes bytes(const std::vector<std::uint8_t>& values) {
    Bytes both{cuda.allocate_bytes(values.size()), cpu.allocate_bytes(values.size())};
    cuda.copy_in(both.on_gpu.data(), values);
    cpu.copy_in(both.on_cpu.data(), values);
    return both;
  }
  double differ(const Array& array) {
    Values found(array.on_gpu.size());
    cuda.copy_out(found, array.on_gpu.data());
    const double* const expected = array.on_cpu.data();
    return difference(found, std::vector<double>(expected, expected + array.on_cpu.size()));
  }

 private:
  gpu::Stream stream_;

 public:
  CudaOps cuda;
  CpuOps<double> cpu;
};

}  // namespace

TEST_CASE("the comparison sees one element that is wrong") {
  CHECK(difference({1, 2}, {1, 2}) == 0);
  CHECK(difference({1, 2.001f}, {1, 2}) > kFp32);
  CHECK(difference({NAN, 2}, {1, 2}) > 1);
}

TEST_CASE("matrix products, in fp32 and bf16") {
  for (const DataType type : {DataType::fp32, DataType::bf16}) {
    const double bound = type == DataType::fp32 ? kFp32 : kBf16;
    for (const auto& [n, in, out] : kShapes) {
      CAPTURE(n);
      Pair pair(type);
      const auto x = pair.array(random_values(n * in, 1));
      const auto w = pair.array(random_values(out * in, 2));
      const auto dy = pair.array(random_values(n * out, 3));
      auto y = pair.array(random_values(n * out, 4));
      auto dx = pair.array(random_values(n * in, 5));
      pair.cuda.linear(x.on_gpu.data(), w.on_gpu.data(), y.on_gpu.data(), n, in, out);
      pair.cpu.linear(x.on_cpu.data(), w.on_cpu.data(), y.on_cpu.data(), n, in, out);
      CHECK(pair.differ(y) < bound);
      pair.cuda.linear_input_gradient(dy.on_gpu.data(), w.on_gpu.data(), dx.on_gpu.data(), n, in,
                                      out);
      pair.cpu.linear_input_gradient(dy.on_cpu.data(), w.on_cpu.data(), dx.on_cpu.data(), n, in,
                                     out);
      CHECK(pair.differ(dx) < bound);
      auto dw = pair.array(random_values(out * in, 6));
      for (const bool accumulate : {false, true}) {
        pair.cuda.linear_weight_gradient(dy.on_gpu.data(), x.on_gpu.data(), dw.on_gpu.data(),
                                         accumulate, n, in, out);
        pair.cpu.linear_weight_gradient(dy.on_cpu.data(), x.on_cpu.data(), dw.on_cpu.data(),
                                        accumulate, n, in, out);
        CHECK(pair.differ(dw) < bound);
      }
    }
  }
}

TEST_CASE("GELU, forward and backward") {
  for (const auto& [n, width, unused] : kShapes) {
    Pair pair;
    auto values = random_values(n * width, 1);
    for (float& value : values) value *= 20;  // both tails
    auto z = pair.array(values);
    const auto bias = pair.array(random_values(width, 2));
    auto activation = pair.array(Values(n * width));
    auto d = pair.array(random_values(n * width, 3));
    auto sums = pair.array(random_values(width, 4));
    pair.cuda.bias_gelu(z.on_gpu.data(), bias.on_gpu.data(), activation.on_gpu.data(), n, width);
    pair.cpu.bias_gelu(z.on_cpu.data(), bias.on_cpu.data(), activation.on_cpu.data(), n, width);
    CHECK(pair.differ(z) < kFp32);
    CHECK(pair.differ(activation) < kFp32);
    for (const bool accumulate : {false, true}) {
      pair.cuda.gelu_backward(d.on_gpu.data(), z.on_gpu.data(), sums.on_gpu.data(), accumulate, n,
                              width);
      pair.cpu.gelu_backward(d.on_cpu.data(), z.on_cpu.data(), sums.on_cpu.data(), accumulate, n,
                             width);
      CHECK(pair.differ(d) < kFp32);
      CHECK(pair.differ(sums) < kFp32);
    }
  }
}

TEST_CASE("softmax and cross-entropy") {
  for (const std::size_t n : {std::size_t{1}, std::size_t{37}, std::size_t{256}}) {
    Pair pair;
    auto values = random_values(n * kVocabulary, 1);
    for (float& value : values) value *= 30;
    auto logits = pair.array(values);
    auto probabilities = pair.array(values);
    const auto bias = pair.array(random_values(kVocabulary, 2));
    const auto targets = pair.bytes(random_bytes(n, 3));
    auto sums = pair.array(random_values(kVocabulary, 4));
    auto loss = pair.array({0.5f});
    for (const bool accumulate : {false, true}) {
      pair.cuda.softmax_cross_entropy(logits.on_gpu.data(), bias.on_gpu.data(),
                                      targets.on_gpu.data(), 0.25f, sums.on_gpu.data(),
                                      loss.on_gpu.data(), accumulate, n);
      pair.cpu.softmax_cross_entropy(logits.on_cpu.data(), bias.on_cpu.data(),
                                     targets.on_cpu.data(), 0.25, sums.on_cpu.data(),
                                     loss.on_cpu.data(), accumulate, n);
      CHECK(pair.differ(logits) < kFp32);
      CHECK(pair.differ(sums) < kFp32);
      CHECK(pair.differ(loss) < kFp32);
    }
    const double found = pair.cuda.softmax_loss(probabilities.on_gpu.data(), bias.on_gpu.data(),
                                                targets.on_gpu.data(), n);
    const double expected = pair.cpu.softmax_loss(probabilities.on_cpu.data(), bias.on_cpu.data(),
                                                  targets.on_cpu.data(), n);
    CHECK(std::abs(found - expected) < kFp32 * expected);
    CHECK(pair.differ(probabilities) < kFp32);
  }
}

TEST_CASE("embeddings: gather, scatter_add") {
  for (const std::size_t embed : {std::size_t{1}, std::size_t{8}, std::size_t{300}}) {
    const std::size_t n = 41;
    const std::size_t context = 6;
    Pair pair(DataType::fp32, embed);
    const auto table = pair.array(random_values(kVocabulary * embed, 1));
    const auto bytes = pair.bytes(random_bytes(n * context, 2));
    auto out = pair.array(Values(n * context * embed));
    auto gradient = pair.array(random_values(kVocabulary * embed, 3));
    pair.cuda.gather(table.on_gpu.data(), bytes.on_gpu.data(), out.on_gpu.data(), n, context,
                     embed);
    pair.cpu.gather(table.on_cpu.data(), bytes.on_cpu.data(), out.on_cpu.data(), n, context, embed);
    CHECK(pair.differ(out) == 0);
    pair.cuda.scatter_add(out.on_gpu.data(), bytes.on_gpu.data(), gradient.on_gpu.data(), n,
                          context, embed);
    pair.cpu.scatter_add(out.on_cpu.data(), bytes.on_cpu.data(), gradient.on_cpu.data(), n, context,
                         embed);
    CHECK(pair.differ(gradient) < kFp32);
  }
}

TEST_CASE("AdamW, the norm and zeroes") {
  for (const std::size_t n : {std::size_t{1}, std::size_t{1000}, std::size_t{300000}}) {
    Pair pair;
    auto p = pair.array(random_values(n, 1));
    const auto g = pair.array(random_values(n, 2));
    auto m = pair.array(Values(n));
    auto v = pair.array(Values(n));
    for (int step = 1; step <= 3; ++step) {
      const AdamWStep adamw{
          1e-2, 0.9, 0.999, 1e-8, 0.1, 1 - std::pow(0.9, step), 1 - std::pow(0.999, step), 0.5};
      pair.cuda.adamw(p.on_gpu.data(), g.on_gpu.data(), m.on_gpu.data(), v.on_gpu.data(), n, adamw);
      pair.cpu.adamw(p.on_cpu.data(), g.on_cpu.data(), m.on_cpu.data(), v.on_cpu.data(), n, adamw);
    }
    CHECK(pair.differ(p) < kFp32);
    CHECK(pair.differ(m) < kFp32);
    CHECK(pair.differ(v) < kFp32);
    const double expected = pair.cpu.squared_norm(g.on_cpu.data(), n);
    CHECK(std::abs(pair.cuda.squared_norm(g.on_gpu.data(), n) - expected) < kFp32 * expected);
    pair.cuda.zero(p.on_gpu.data(), n);
    pair.cpu.zero(p.on_cpu.data(), n);
    CHECK(pair.differ(p) == 0);
  }
}

TEST_CASE("the whole model's gradient, in one part and in two") {
  const Layout layout({.context = 5, .embed = 12, .hidden = 70, .layers = 3});
  constexpr std::size_t kBatch = 50;
  Values initial(layout.size);
  initialize(layout, 7, initial);
  const auto contexts = random_bytes(kBatch * 5, 8);
  const auto targets = random_bytes(kBatch, 9);
  const Batch batch{contexts, targets};
  Pair pair(DataType::fp32, 12, kBatch);
  const auto parameters = pair.array(initial);
  auto gradients = pair.array(Values(layout.size));
  Model<CudaOps> on_gpu(pair.cuda, layout, kBatch);
  Model<CpuOps<double>> on_cpu(pair.cpu, layout, kBatch);
  const auto ignore = [](std::size_t) {};
  for (const bool accumulate : {false, true}) {
    on_gpu.forward_backward(parameters.on_gpu.data(), gradients.on_gpu.data(), batch, 0.02f,
                            accumulate, ignore);
    on_cpu.forward_backward(parameters.on_cpu.data(), gradients.on_cpu.data(), batch, 0.02,
                            accumulate, ignore);
    CHECK(pair.differ(gradients) < kFp32);
  }
  // No samples are no gradient, and no error.
  on_gpu.forward_backward(parameters.on_gpu.data(), gradients.on_gpu.data(), {}, 1, false, ignore);
  on_cpu.forward_backward(parameters.on_cpu.data(), gradients.on_cpu.data(), {}, 1, false, ignore);
  CHECK(pair.differ(gradients) == 0);
}

TEST_CASE("the gradient is the derivative of the loss, by finite differences") {
  const Layout layout({.context = 4, .embed = 6, .hidden = 20, .layers = 2});
  constexpr std::size_t kBatch = 16;
  const auto contexts = random_bytes(kBatch * 4, 8);
  const auto targets = random_bytes(kBatch, 9);
  const Batch batch{contexts, targets};
  Pair pair(DataType::fp32, 6, kBatch);
  Model<CudaOps> model(pair.cuda, layout, kBatch);
  Values initial(layout.size);
  initialize(layout, 7, initial);
  auto parameters = pair.cuda.allocate(layout.size);
  auto gradients = pair.cuda.allocate(layout.size);
  pair.cuda.copy_in(parameters.data(), initial);
  model.forward_backward(parameters.data(), gradients.data(), batch, 1, false, [](std::size_t) {});
  Values gradient(layout.size);
  pair.cuda.copy_out(gradient, gradients.data());
  // Along random directions. The second check is the control: a tenth off is seen.
  for (std::uint64_t direction = 20; direction < 24; ++direction) {
    const Values along = random_values(layout.size, direction);
    constexpr float kStep = 2e-3f;
    double losses[2] = {};
    for (const int side : {0, 1}) {
      Values moved = initial;
      for (std::size_t i = Layout::kHeader; i < layout.size; ++i)
        moved[i] += (side == 0 ? -kStep : kStep) * along[i];
      pair.cuda.copy_in(parameters.data(), moved);
      losses[side] = model.evaluate(parameters.data(), batch);
    }
    double expected = 0;
    double scale = 0;
    for (std::size_t i = Layout::kHeader; i < layout.size; ++i) {
      expected += static_cast<double>(gradient[i]) * static_cast<double>(along[i]);
      scale += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
    }
    scale = std::sqrt(scale);
    const double found = (losses[1] - losses[0]) / (2 * static_cast<double>(kStep));
    CHECK(std::abs(found - expected) < 0.01 * scale);
    CHECK(std::abs(found - expected - 0.1 * scale) > 0.01 * scale);
  }
}

int main(int argc, char** argv) {
  int devices = 0;
  const cudaError_t found = cudaGetDeviceCount(&devices);
  if (found != cudaSuccess || devices == 0) {
    std::printf("skipped: no GPU (%s)\n",
                found == cudaSuccess ? "none is visible" : cudaGetErrorString(found));
    return 77;
  }
  return doctest::Context(argc, argv).run();
}

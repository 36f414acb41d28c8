// Every operator's gradient against central differences, in double precision.
#include "worker/base/random.hpp"
#include "worker/model/cpu_ops.hpp"
#include "worker/model/layout.hpp"
#include "worker/model/model.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace ddp::worker;
using Values = std::vector<double>;

constexpr double kStep = 1e-5;
constexpr double kBound = 1e-7;  // central differences in double: about kStep^2

Values random_values(std::size_t n, std::uint64_t key) {
  Values values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = 2 * unit(mix(key, i)) - 1;
  return values;
}

// d f / d at[i] for each i.
Values numeric_gradient(Values& at, const std::function<double()>& f) {
  Values gradient(at.size());
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double kept = at[i];
    at[i] = kept + kStep;
    const double above = f();
    at[i] = kept - kStep;
    const double below = f();
    at[i] = kept;
    gradient[i] = (above - below) / (2 * kStep);
  }
  return gradient;
}

void check_close(const Values& found, const Values& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(found[i] - expected[i]) <= kBound * (1 + std::abs(expected[i])));
  }
}

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEST_CASE("linear") {
  constexpr std::size_t n = 3;
  constexpr std::size_t in = 5;
  constexpr std::size_t out = 4;
  CpuOps<double> ops;
  Values x = random_values(n * in, 1);
  Values w = random_values(out * in, 2);
  const Values upstream = random_values(n * out, 3);
  const auto f = [&] {
    Values y(n * out);
    ops.linear(x.data(), w.data(), y.data(), n, in, out);
    return dot(y, upstream);
  };
  Values dx(n * in);
  Values dw(out * in, 99);  // overwritten
  ops.linear_input_gradient(upstream.data(), w.data(), dx.data(), n, in, out);
  ops.linear_weight_gradient(upstream.data(), x.data(), dw.data(), false, n, in, out);
  check_close(dx, numeric_gradient(x, f));
  const Values expected = numeric_gradient(w, f);
  check_close(dw, expected);
  ops.linear_weight_gradient(upstream.data(), x.data(), dw.data(), true, n, in, out);
  for (double& d : dw) d /= 2;  // accumulated once more
  check_close(dw, expected);
}

TEST_CASE("bias and GELU") {
  constexpr std::size_t n = 3;
  constexpr std::size_t width = 7;
  CpuOps<double> ops;
  Values z = random_values(n * width, 4);
  for (double& value : z) value *= 4;
  Values bias = random_values(width, 5);
  const Values upstream = random_values(n * width, 6);
  const auto f = [&] {
    Values derivative = z;
    Values activation(n * width);
    ops.bias_gelu(derivative.data(), bias.data(), activation.data(), n, width);
    return dot(activation, upstream);
  };
  Values derivative = z;
  Values activation(n * width);
  ops.bias_gelu(derivative.data(), bias.data(), activation.data(), n, width);
  Values d = upstream;
  Values bias_gradient(width, 99);
  ops.gelu_backward(d.data(), derivative.data(), bias_gradient.data(), false, n, width);
  check_close(d, numeric_gradient(z, f));
  check_close(bias_gradient, numeric_gradient(bias, f));
}

TEST_CASE("softmax cross-entropy") {
  constexpr std::size_t n = 2;
  const double scale = 0.25;
  CpuOps<double> ops;
  Values logits = random_values(n * kVocabulary, 7);
  Values bias = random_values(kVocabulary, 8);
  const std::uint8_t targets[n] = {3, 255};
  const auto f = [&] {
    Values work = logits;
    return scale * ops.softmax_loss(work.data(), bias.data(), targets, n);
  };
  Values d = logits;
  Values bias_gradient(kVocabulary, 99);
  double loss = 99;
  ops.softmax_cross_entropy(d.data(), bias.data(), targets, scale, bias_gradient.data(), &loss,
                            false, n);
  CHECK(loss == doctest::Approx(f()));
  check_close(d, numeric_gradient(logits, f));
  check_close(bias_gradient, numeric_gradient(bias, f));
}

TEST_CASE("embedding") {
  constexpr std::size_t n = 2;
  constexpr std::size_t context = 3;
  constexpr std::size_t embed = 4;
  CpuOps<double> ops;
  Values table = random_values(kVocabulary * embed, 9);
  const std::uint8_t bytes[n * context] = {0, 255, 7, 7, 7, 128};
  const Values upstream = random_values(n * context * embed, 10);
  const auto f = [&] {
    Values out(n * context * embed);
    ops.gather(table.data(), bytes, out.data(), n, context, embed);
    return dot(out, upstream);
  };
  Values gradient(kVocabulary * embed);
  ops.scatter_add(upstream.data(), bytes, gradient.data(), n, context, embed);
  check_close(gradient, numeric_gradient(table, f));
}

TEST_CASE("the whole model, in one part and accumulated over two") {
  const Layout layout({.context = 3, .embed = 2, .hidden = 5, .layers = 2});
  std::vector<float> initial(layout.size);
  initialize(layout, 11, initial);
  Values parameters(initial.begin(), initial.end());
  for (const Segment& s : layout.segments)  // biases of 0 would hide a mistake
    for (std::size_t i = 0; i < s.size(); ++i)
      parameters[s.offset + i] += 0.3 * (2 * unit(mix(12, s.offset + i)) - 1);
  const std::uint8_t contexts[] = {1, 2, 3, 250, 2, 0, 9, 9, 1, 77, 3, 1};
  const std::uint8_t targets[] = {4, 5, 6, 255};
  CpuOps<double> ops;
  Model<CpuOps<double>> model(ops, layout, 4);
  const auto f = [&] { return 0.25 * model.evaluate(parameters.data(), {contexts, targets}); };
  Values expected = numeric_gradient(parameters, f);
  expected[Layout::kLossSlot] = f();

  Values gradients(layout.size);
  std::vector<std::size_t> ready;
  model.forward_backward(parameters.data(), gradients.data(), {contexts, targets}, 0.25, false,
                         [&](std::size_t end) { ready.push_back(end); });
  check_close(gradients, expected);
  CHECK(std::is_sorted(ready.begin(), ready.end()));
  CHECK(ready.back() == layout.size);

  const std::span<const std::uint8_t> c(contexts);
  const std::span<const std::uint8_t> t(targets);
  Values parts(layout.size, 0);
  const auto ignore = [](std::size_t) {};
  model.forward_backward(parameters.data(), parts.data(), {c.first(3), t.first(1)}, 0.25, false,
                         ignore);
  model.forward_backward(parameters.data(), parts.data(), {c.subspan(3), t.subspan(1)}, 0.25, true,
                         ignore);
  check_close(parts, expected);
}

TEST_CASE("the check itself can fail") {
  Values x = random_values(3, 13);
  const Values gradient = numeric_gradient(x, [&] { return x[0] * x[0] + x[1]; });
  CHECK(std::abs(gradient[0] - 2 * x[0]) < kBound);
  CHECK(std::abs(gradient[0] - 2.001 * x[0]) > kBound);
}

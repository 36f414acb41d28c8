// The vectorised single-precision kernels, of every instruction set this machine has, against
// double precision; AdamW against its textbook form.
#include "worker/model/kernels.hpp"
#include "worker/base/random.hpp"
#include "worker/model/kernels_isa.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace ddp::worker;

std::vector<const Kernels<float>*> kernel_sets() {
  std::vector<const Kernels<float>*> sets{&portable::single_precision()};
  if (&kernels(0.0f) != sets[0]) sets.push_back(&kernels(0.0f));
  return sets;
}

std::vector<float> random_values(std::size_t n, std::uint64_t key, double bound) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] = static_cast<float>(bound * (2 * unit(mix(key, i)) - 1));
  return values;
}

void check_close(const std::vector<float>& found, const std::vector<double>& expected,
                 double bound) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(static_cast<double>(found[i]) - expected[i]) <=
          bound * (1 + std::abs(expected[i])));
  }
}

}  // namespace

TEST_CASE("GELU from one end of the range to the other") {
  for (const Kernels<float>* set : kernel_sets()) {
    std::vector<float> z = random_values(501, 1, 12);
    for (const float extreme : {-1e4f, -90.0f, 0.0f, 90.0f, 1e4f}) z.push_back(extreme);
    const std::size_t width = z.size();
    std::vector<double> z2(z.begin(), z.end());
    const std::vector<float> bias(width, 0.125f);
    const std::vector<double> bias2(bias.begin(), bias.end());
    std::vector<float> a(width);
    std::vector<double> a2(width);
    set->bias_gelu(z.data(), bias.data(), a.data(), 1, width);
    kernels(0.0).bias_gelu(z2.data(), bias2.data(), a2.data(), 1, width);
    check_close(a, a2, 2e-6);
    check_close(z, z2, 2e-6);
  }
}

TEST_CASE("softmax cross-entropy, with logits far apart") {
  for (const Kernels<float>* set : kernel_sets()) {
    constexpr std::size_t n = 5;
    for (const double spread : {0.1, 5.0, 300.0}) {
      std::vector<float> logits = random_values(n * 256, 2, spread);
      std::vector<double> logits2(logits.begin(), logits.end());
      const std::vector<float> bias = random_values(256, 3, 1);
      const std::vector<double> bias2(bias.begin(), bias.end());
      const std::uint8_t targets[n] = {0, 1, 127, 128, 255};
      std::vector<float> sums(256, 9);
      std::vector<double> sums2(256, 9);
      const double loss = set->softmax_cross_entropy(logits.data(), bias.data(), targets, 0.5f,
                                                     sums.data(), true, n);
      const double loss2 = kernels(0.0).softmax_cross_entropy(logits2.data(), bias2.data(), targets,
                                                              0.5, sums2.data(), true, n);
      CHECK(loss == doctest::Approx(loss2).epsilon(1e-5));
      check_close(logits, logits2, 2e-5);
      check_close(sums, sums2, 2e-5);
    }
  }
}

TEST_CASE("AdamW is Loshchilov and Hutter's") {
  for (const Kernels<float>* set : kernel_sets()) {
    const AdamWStep step{0.01, 0.9, 0.95, 1e-8, 0.1, 1 - 0.9 * 0.9, 1 - 0.95 * 0.95, 0.5};
    const std::vector<float> g = random_values(100, 4, 1);
    std::vector<float> p = random_values(100, 5, 1);
    std::vector<float> m = random_values(100, 6, 1);
    std::vector<float> v = random_values(100, 7, 1);
    for (float& value : v) value = std::abs(value);
    std::vector<double> p2;
    std::vector<double> m2;
    std::vector<double> v2;
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double gradient = 0.5 * static_cast<double>(g[i]);
      m2.push_back(0.9 * static_cast<double>(m[i]) + 0.1 * gradient);
      v2.push_back(0.95 * static_cast<double>(v[i]) + 0.05 * gradient * gradient);
      const double m_hat = m2[i] / (1 - 0.9 * 0.9);
      const double v_hat = v2[i] / (1 - 0.95 * 0.95);
      const double before = static_cast<double>(p[i]);
      p2.push_back(before - 0.01 * (m_hat / (std::sqrt(v_hat) + 1e-8) + 0.1 * before));
    }
    set->adamw(p.data(), g.data(), m.data(), v.data(), g.size(), step);
    check_close(p, p2, 1e-6);
    check_close(m, m2, 1e-6);
    check_close(v, v2, 1e-6);
  }
}

TEST_CASE("the norm is exact enough for a million elements") {
  for (const Kernels<float>* set : kernel_sets()) {
    const std::vector<float> values = random_values(1000003, 8, 1);
    double expected = 0;
    for (const float value : values)
      expected += static_cast<double>(value) * static_cast<double>(value);
    CHECK(set->squared_norm(values.data(), values.size()) ==
          doctest::Approx(expected).epsilon(1e-6));
    CHECK(set->squared_norm(values.data(), 5) > 0);
  }
}

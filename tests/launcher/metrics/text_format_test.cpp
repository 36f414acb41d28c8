#include "launcher/metrics/text_format.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>

using namespace ddp::metrics;
using namespace std::chrono_literals;

TEST_CASE("what a label's value may not hold is escaped or replaced") {
  CHECK(label("a", "plain") == R"(a="plain")");
  CHECK(label("a", "") == R"(a="")");
  CHECK(label("a", "C:\\x \"y\"\nz") == R"(a="C:\\x \"y\"\nz")");
  // Prometheus refuses the whole text where one byte is not UTF-8.
  CHECK(label("a",
              "b\xff"
              "c") ==
        "a=\"b\xEF\xBF\xBD"
        "c\"");
  CHECK(label("a", "déjà") == "a=\"déjà\"");
}

TEST_CASE("a family has a head, and its samples the common labels") {
  TextFormat out(label("run_id", "r"));
  out.family("x", "gauge", "What it is.");
  out.sample("", std::int64_t{-3});
  out.sample(label("rank", "1"), true);
  out.sample(label("rank", "2"), 0.25);
  CHECK(out.take() ==
        "# HELP x What it is.\n"
        "# TYPE x gauge\n"
        "x{run_id=\"r\"} -3\n"
        "x{run_id=\"r\",rank=\"1\"} 1\n"
        "x{run_id=\"r\",rank=\"2\"} 0.25\n");
}

TEST_CASE("a number that is none has Prometheus' name") {
  using Limits = std::numeric_limits<double>;
  TextFormat out(label("l", ""));
  out.family("x", "gauge", "X.");
  for (const double value : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()})
    out.sample("", value);
  CHECK(out.take() ==
        "# HELP x X.\n# TYPE x gauge\nx{l=\"\"} NaN\nx{l=\"\"} +Inf\nx{l=\"\"} -Inf\n");
}

TEST_CASE("the buckets of a histogram are cumulative") {
  Histogram times;
  times.add(1ms);        // the bound belongs to its bucket
  times.add(1100us, 3);  // three times
  times.add(100s);
  times.add(400s);  // more than the last bound
  CHECK(times.count == 6);
  CHECK(times.sum == doctest::Approx(500.0043));
  TextFormat out(label("l", ""));
  out.family("x", "histogram", "X.");
  out.histogram("", times);
  const std::string text = out.take();
  const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
  CHECK(has("x_bucket{l=\"\",le=\"0.001\"} 1\n"));
  CHECK(has("x_bucket{l=\"\",le=\"0.005\"} 4\n"));
  CHECK(has("x_bucket{l=\"\",le=\"60\"} 4\n"));
  CHECK(has("x_bucket{l=\"\",le=\"300\"} 5\n"));
  CHECK(has("x_bucket{l=\"\",le=\"+Inf\"} 6\n"));
  CHECK(has("x_sum{l=\"\"} 500.004"));
  CHECK(has("x_count{l=\"\"} 6\n"));
}

TEST_CASE("the bounds rise, and each is its label's number") {
  double before = 0;
  for (const auto& [most, text] : kBuckets) {
    CHECK(most > before);
    CHECK(std::stod(std::string(text)) == most);
    before = most;
  }
}

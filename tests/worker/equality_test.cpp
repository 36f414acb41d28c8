// The same training whatever the number of ranks, and to the bit when repeated.
#include "tests/worker/program.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

using namespace ddp::test;

namespace {

std::vector<std::string> arguments(const std::string& data, const std::vector<std::string>& more) {
  std::vector<std::string> all{"--data",  data,          "--backend", "gloo",     "--context",
                               "8",       "--embed",     "8",         "--hidden", "32",
                               "--batch", "30",          "--steps",   "100",      "--lr",
                               "0.003",   "--log-every", "1",         "--json"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<double> losses(const Ended& rank0) {
  std::vector<double> values;
  for (const std::string& text : json_values(rank0.out, "step", "loss"))
    values.push_back(std::strtod(text.c_str(), nullptr));
  return values;
}

// Checks that every rank succeeded, and returns rank 0's result.
Ended trained(int world, const std::vector<std::string>& args) {
  const std::vector<Ended> ended = run_world(world, args);
  for (const Ended& rank : ended) {
    CAPTURE(rank.err);
    REQUIRE(rank.code == 0);
    CHECK(rank.err.empty());
    if (&rank != &ended.front()) CHECK(rank.out.empty());
  }
  return ended.front();
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(a[i] - b[i]) / std::abs(a[i]));
  return most;
}

}  // namespace

TEST_CASE("1, 2, 3 and 4 ranks see the same losses on the same global batch") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(5000));
  const std::vector<double> alone = losses(trained(1, arguments(data, {})));
  REQUIRE(alone.size() == 100);
  CHECK(alone.back() < 0.5 * alone.front());
  for (const int world : {2, 3, 4})
    CHECK(largest_difference(alone, losses(trained(world, arguments(data, {})))) < 1e-4);
  // The comparison can fail: another seed is another run.
  CHECK(largest_difference(alone, losses(trained(1, arguments(data, {"--seed", "2"})))) > 1e-3);
}

TEST_CASE("repeated, a run is the same to the bit") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(5000));
  const Ended first = trained(3, arguments(data, {}));
  const Ended second = trained(3, arguments(data, {}));
  const auto digests = json_values(first.out, "summary", "digest");
  REQUIRE(digests.size() == 1);
  CHECK(digests[0].size() == 32);
  CHECK(digests == json_values(second.out, "summary", "digest"));
  CHECK(json_values(first.out, "step", "loss") == json_values(second.out, "step", "loss"));
  const Ended other = trained(3, arguments(data, {"--seed", "2"}));
  CHECK(digests != json_values(other.out, "summary", "digest"));
}

TEST_CASE("the summary has the cost of a step, a sample and communication") {
  const Folder folder;
  const Ended run = trained(2, arguments(folder.write("text", sample_text(5000)), {}));
  const auto figure = [&](const char* key) {
    const auto values = json_values(run.out, "summary", key);
    REQUIRE(values.size() == 1);
    return std::strtod(values[0].c_str(), nullptr);
  };
  const double ms = figure("ms_per_step");
  CHECK(ms > 0);
  CHECK(std::abs(figure("samples_per_second") * ms / 1e3 - 30) < 0.1);  // the batch
  CHECK(figure("bus_gb_per_second") > 0);
  CHECK(figure("communication_ms_per_step") > 0);
  CHECK(figure("communication_hidden") >= 0);
  CHECK(figure("communication_hidden") <= 1);
}

TEST_CASE("neither overlap nor accumulation changes the result") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(5000));
  const Ended plain = trained(2, arguments(data, {}));
  const Ended waiting = trained(2, arguments(data, {"--no-overlap"}));
  CHECK(json_values(plain.out, "summary", "digest") ==
        json_values(waiting.out, "summary", "digest"));
  const Ended parts = trained(2, arguments(data, {"--accumulate", "4"}));
  CHECK(largest_difference(losses(plain), losses(parts)) < 1e-4);
}

TEST_CASE("a trained model writes like its text and knows held-out text") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(20000));
  const Ended run =
      trained(2, arguments(data, {"--steps", "300", "--generate", "200", "--eval-every", "100"}));
  const auto entropy = json_values(run.out, "start", "order0_bits_per_byte");
  const auto held_out = json_values(run.out, "validation", "bits_per_byte");
  REQUIRE(entropy.size() == 1);
  REQUIRE(held_out.size() == 3);
  CHECK(std::strtod(held_out.back().c_str(), nullptr) <
        0.6 * std::strtod(entropy[0].c_str(), nullptr));
  const auto text = json_values(run.out, "generated", "text");
  REQUIRE(text.size() == 1);
  CHECK(text[0].find("the rank ") != std::string::npos);
}

TEST_CASE("the project's own pages are learnt well enough to know their held-out ends") {
  const std::string root = DDP_SOURCE_DIR;
  const Ended run = run_world(
      2, {"--json", "--backend", "gloo", "--data", root + "/docs/design.md", root + "/LICENSE"})[0];
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const auto entropy = json_values(run.out, "start", "order0_bits_per_byte");
  const auto held_out = json_values(run.out, "validation", "bits_per_byte");
  CHECK(std::strtod(held_out.at(0).c_str(), nullptr) <
        0.9 * std::strtod(entropy.at(0).c_str(), nullptr));
}

TEST_CASE("run by hand, a worker prints a table") {
  const Folder folder;
  Process alone({"--data", folder.write("text", sample_text(500)), "--steps", "3"}, {});
  const Ended ended = alone.wait();
  CAPTURE(ended.err);
  CHECK(ended.code == 0);
  CHECK(ended.out.starts_with("group  1 rank"));
  CHECK(ended.out.find("\ndigest ") != std::string::npos);
}

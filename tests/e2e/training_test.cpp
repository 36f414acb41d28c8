// The real worker under the real launcher: on one machine, on two "machines", and with a killed
// rank.
#include "tests/e2e/launch.hpp"
#include "tests/support/reserved_port.hpp"

#include <signal.h>

#include <cmath>
#include <cstdlib>
#include <regex>

using namespace ddp::test;

namespace {

std::string text() {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "rank " + std::to_string(i % 37) + " waits for the rest. ";
  return text;
}

Words worker(const Scene& scene, const Words& more) {
  write_file(scene.path("data"), text());
  return Words{path_or("DDP_TEST_WORKER", DDP_WORKER),
               "--data",
               scene.path("data"),
               "--backend",
               "gloo",
               "--context",
               "8",
               "--embed",
               "8",
               "--hidden",
               "32",
               "--batch",
               "24",
               "--lr",
               "0.003",
               "--log-every",
               "1",
               "--json"} +
         more;
}

std::vector<double> losses(const std::string& output) {
  static const std::regex step(R"re("step": ?\d+,.*"loss": ?([0-9.eE+-]+))re");
  std::vector<double> values;
  for (const auto& line : lines_of(output)) {
    std::smatch found;
    if (std::regex_search(line, found, step))
      values.push_back(std::strtod(found[1].str().c_str(), nullptr));
  }
  return values;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]) / std::abs(a[i]));
  }
  return most;
}

std::string digest(const std::string& output) {
  static const std::regex pattern(R"re(digest"?:? ?"?([0-9a-f]{8,}))re");
  std::smatch found;
  return std::regex_search(output, found, pattern) ? found[1].str() : "";
}

}  // namespace

TEST_CASE("four ranks have the losses of one on the same global batch") {
  const Scene scene;
  const Words steps{"--steps", "20"};
  const auto one = scene.run({"--nproc", "1"}, worker(scene, steps));
  const auto four = scene.run({"--nproc", "4"}, worker(scene, steps));
  CAPTURE(four.err);
  REQUIRE(one.status == Status{.code = 0});
  REQUIRE(four.status == Status{.code = 0});
  const auto alone = losses(one.out);
  REQUIRE(alone.size() == 20);
  CHECK(alone.back() < alone.front());
  CHECK(largest_difference(alone, losses(four.out)) < 1e-4);
}

TEST_CASE("ranks rendezvous at an IPv6 address") {
  const Scene scene;
  Scene other;
  other.env["MASTER_ADDR"] = "::1";
  other.env["MASTER_PORT"] = "0";
  auto probe = other.start({}, {});
  probe.argv = helper({"listen-master"});
  if (Process(std::move(probe)).wait() != Status{.code = 0}) {
    MESSAGE("no IPv6 loopback here");
    return;
  }
  for (const char* address : {"::1", "[::1]"}) {
    CAPTURE(address);
    const auto run =
        scene.run({"--nproc", "2", "--master-addr", address}, worker(scene, {"--steps", "10"}));
    CAPTURE(run.err);
    CHECK(run.status == Status{.code = 0});
    CHECK(run.err == "");
    CHECK(losses(run.out).size() == 10);
  }
  // If no process listens, the address is reported as typed.
  const auto alone = scene.run({"--nnodes", "2", "--node-rank", "1", "--master-addr", "::1",
                                "--master-port", std::to_string(ReservedPort().number())},
                               worker(scene, {"--steps", "1", "--join-timeout", "100ms"}));
  CHECK(alone.status == Status{.code = 1});
  CHECK(contains(alone.err, "store at [::1]:"));
}

TEST_CASE("two launches form one world: ranks 0 to 3, local ranks 0 1 0 1") {
  const Scene scene;
  const ReservedPort held;  // the two launches agree on it beforehand
  const std::string port = std::to_string(held.number());
  const auto flags = [&](const char* node) {
    return Words{"--nnodes",      "2",         "--node-rank",   node, "--nproc",  "2",
                 "--master-addr", "127.0.0.1", "--master-port", port, "--run-id", "both"};
  };
  const Words steps = helper({"print",
                              "{RANK} {LOCAL_RANK} {WORLD_SIZE} {LOCAL_WORLD_SIZE} {GROUP_RANK} "
                              "{MASTER_ADDR} {MASTER_PORT} {TORCHELASTIC_RUN_ID}"});
  Process first = scene.launch(flags("0"), steps);
  Process second = scene.launch(flags("1"), steps);
  CHECK(first.wait() == Status{.code = 0});
  CHECK(second.wait() == Status{.code = 0});
  const std::string rest = " 127.0.0.1 " + port + " both";
  CHECK(by_rank(first.out() + second.out()) == std::map<int, Words>{{0, {"0 0 4 2 0" + rest}},
                                                                    {1, {"1 1 4 2 0" + rest}},
                                                                    {2, {"2 0 4 2 1" + rest}},
                                                                    {3, {"3 1 4 2 1" + rest}}});

  Process node0 = scene.launch(flags("0"), worker(scene, {"--steps", "20"}));
  Process node1 = scene.launch(flags("1"), worker(scene, {"--steps", "20"}));
  CHECK(node0.wait() == Status{.code = 0});
  CHECK(node1.wait() == Status{.code = 0});
  CAPTURE(node0.err());
  CAPTURE(node1.err());
  const auto together = losses(node0.out());
  REQUIRE(together.size() == 20);
  const auto alone = losses(scene.run({"--nproc", "1"}, worker(scene, {"--steps", "20"})).out);
  CHECK(largest_difference(alone, together) < 1e-4);
}

TEST_CASE("a rank killed in training restarts the group and ends with the same digest") {
  const Scene scene;
  const auto checkpoints = [&](const char* name) {
    return worker(scene, {"--steps", "200", "--checkpoint-dir", scene.path(name),
                          "--checkpoint-every", "10"});
  };
  const auto undisturbed = scene.run({"--nproc", "2"}, checkpoints("a"));
  REQUIRE(undisturbed.status == Status{.code = 0});
  REQUIRE(digest(undisturbed.out) != "");

  // The group waits after step 25 until it is killed from outside.
  Process launch = scene.launch(
      {"--nproc", "2", "--max-restarts", "1", "--inject", "stop@step=25,rank=1"}, checkpoints("b"));
  launch.until_err("injected stop@");
  std::vector<int> workers;
  for (const auto& process : launch.below()) {
    if (contains(process.command_line, "--checkpoint-dir") &&
        process.parent == supervisor_pid(launch)) {
      workers.push_back(process.pid);
    }
  }
  REQUIRE(workers.size() == 2);
  kill(workers.back(), SIGKILL);
  const auto run = finish(scene, launch);
  CAPTURE(run.err);
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err, "was killed by SIGKILL"));
  CHECK(contains(run.err, "restarting the group"));
  CHECK(contains(run.out, "resumed after step 20"));
  CHECK(digest(run.out) == digest(undisturbed.out));
}

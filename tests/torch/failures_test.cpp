// PyTorch programs that fail, hang or are interrupted, and what the user reads then.
#include "tests/support/reserved_port.hpp"
#include "tests/torch/torch_launch.hpp"

#include <signal.h>

#include <algorithm>
#include <sstream>

using namespace ddp::test;

namespace {

// The pids that ranks print as "up <rank's> <loader's> <loader's>".
std::vector<int> pids_of(Process& launch, int ranks) {
  std::vector<int> pids;
  for (int i = 0; i < ranks; ++i) {
    const std::string line = launch.until("up ", torch_deadline());
    std::istringstream numbers(line.substr(line.find("up ") + 3));
    for (int pid = 0; numbers >> pid;) pids.push_back(pid);
  }
  return pids;
}

int alive(const Process& launch, const std::vector<int>& pids) {
  const auto below = launch.below();
  return static_cast<int>(std::count_if(pids.begin(), pids.end(), [&](int pid) {
    return std::any_of(below.begin(), below.end(), [&](const auto& p) { return p.pid == pid; });
  }));
}

// The launcher's own lines of stderr, without the ranks' and without quoted ones.
Words own_lines(const std::string& err) {
  Words own;
  for (const auto& line : lines_of(err)) {
    if (line.starts_with("ddp-launch: ")) own.push_back(line);
  }
  return own;
}

}  // namespace

TEST_CASE("a killed launcher leaves neither ranks nor their DataLoader workers") {
  const TorchScene scene;
  Process launch = scene.launch_script({"--nproc", "2"}, "loader.py");
  const auto pids = pids_of(launch, 2);
  REQUIRE(pids.size() == 6);
  CHECK(alive(launch, pids) == 6);
  launch.send_signal(SIGKILL);
  CHECK(launch.wait_exit() == Status{.signal = SIGKILL});
  launch.wait_nothing_left();
  for (const int pid : pids) CHECK(wait_gone(pid, Deadline()));
}

TEST_CASE("control: a killed torchrun leaves all of them, and the test sees it") {
  const TorchScene scene;
  const ReservedPort port;
  auto start = scene.start({}, {});
  start.argv = torchrun(port.number(), "loader.py");
  Process launch(std::move(start));
  const auto pids = pids_of(launch, 2);
  REQUIRE(pids.size() == 6);
  launch.send_signal(SIGKILL);
  CHECK(launch.wait_exit() == Status{.signal = SIGKILL});
  CHECK(alive(launch, pids) == 6);
}

TEST_CASE("a rank that never joins a collective is named, with its Python stack") {
  const TorchScene scene;
  // Longer than an import of torch on a busy machine.
  const auto limit = std::to_string(static_cast<int>(25 * timeout_scale())) + "s";
  const auto run = scene.run_script(
      {"--nproc", "2", "--progress-timeout", limit, "--hang-signal", "USR1", "--on-hang", "none",
       "--log-dir", scene.path("logs"), "--run-id", "r", "--tee", "3"},
      "hang.py");
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, ": rank 1 is behind at step 2"));
  const auto stack = [&](const char* rank) {
    return read_file(scene.path("logs/r/attempt_0/") + rank + "/stderr.log");
  };
  CHECK(contains(stack("1"), "in waits_for_file_server\n"));
  CHECK(contains(stack("0"), "in joins_collective\n"));
  // In the failure report too.
  CHECK(contains(run.err, "  |   File \"" DDP_TORCH_SCRIPTS "/hang.py\", line 18 in "
                          "waits_for_file_server\n"));
}

TEST_CASE("after Ctrl-C the launcher adds three lines at most to the ranks' tracebacks") {
  const TorchScene scene;
  Process launch = scene.launch_script({"--nproc", "2"}, "forever.py");
  for (int rank = 0; rank < 2; ++rank) launch.until("trains", torch_deadline());
  launch.send_signal(SIGINT);
  const auto run = finish_torch(scene, launch);
  CAPTURE(run.err);
  CHECK(run.status == Status{.code = 128 + SIGINT});
  // The launcher repeats no line of a rank's. The second line shows if the ranks take a second.
  const Words own = own_lines(run.err);
  for (const auto& line : lines_of(run.err)) {
    CHECK((line.starts_with("ddp-launch: ") || line.starts_with("[")));
  }
  REQUIRE_FALSE(own.empty());
  CHECK(own.size() <= 3);
  CHECK(own[0].starts_with("ddp-launch: stopped by SIGINT"));
  CHECK(contains(own.back(), " ended by SIGINT"));
}

TEST_CASE("an exception that @record wrote is in the first line of the failure report") {
  const TorchScene scene;
  const auto run = scene.run_script({"--nproc", "2"}, "record.py");
  CHECK(run.status == Status{.code = 1});
  const auto own = own_lines(run.err);
  REQUIRE_FALSE(own.empty());
  CHECK(own[0].starts_with("ddp-launch: rank 1 exited with code 1"));
  CHECK(contains(own[0], "ValueError: bad data in shard 7"));
  CHECK(contains(run.err, "read_shard"));
  CHECK_FALSE(contains(run.err, "During handling of the above exception"));
  CHECK_FALSE(contains(run.err, "FileNotFoundError"));
}

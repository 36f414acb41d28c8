// What a worker gets: environment, descriptors, signals, directory, arguments, stdin.
#include "tests/e2e/launch.hpp"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

using namespace ddp::test;

namespace {

using Variables = std::map<std::string, std::string>;

// From the lines "env NAME=value" of `env-all`.
std::map<int, Variables> environments(const std::string& output) {
  std::map<int, Variables> ranks;
  for (const auto& [rank, lines] : by_rank(output)) {
    for (const auto& line : lines) {
      if (line.rfind("env ", 0) != 0) continue;
      const auto equals = line.find('=');
      ranks[rank][line.substr(4, equals - 4)] = line.substr(equals + 1);
    }
  }
  return ranks;
}

}  // namespace

TEST_CASE("each rank gets every documented variable") {
  Scene scene;
  scene.env["HELLO"] = "world of \"quotes\" and = signs";
  const auto run =
      scene.run({"--nproc", "3", "--max-restarts", "2", "--run-id", "run.1"}, helper({"env-all"}));
  REQUIRE(run.status == Status{.code = 0});
  const auto ranks = environments(run.out);
  REQUIRE(ranks.size() == 3);
  std::set<std::string> ports;
  std::set<std::string> ras_addresses;
  for (const auto& [rank, given] : ranks) {
    CAPTURE(rank);
    Variables env = given;
    const std::string number = std::to_string(rank);
    const Variables expected{{"RANK", number},
                             {"LOCAL_RANK", number},
                             {"WORLD_SIZE", "3"},
                             {"LOCAL_WORLD_SIZE", "3"},
                             {"GROUP_RANK", "0"},
                             {"GROUP_WORLD_SIZE", "1"},
                             {"ROLE_NAME", "default"},
                             {"ROLE_RANK", number},
                             {"ROLE_WORLD_SIZE", "3"},
                             {"MASTER_ADDR", "127.0.0.1"},
                             {"TORCHELASTIC_RUN_ID", "run.1"},
                             {"TORCHELASTIC_RESTART_COUNT", "0"},
                             {"TORCHELASTIC_MAX_RESTARTS", "2"},
                             {"TORCHELASTIC_USE_AGENT_STORE", "False"},
                             {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"},
                             {"NCCL_ASYNC_ERROR_HANDLING", "1"},
                             {"NCCL_DEBUG", "WARN"},
                             {"OMP_NUM_THREADS", "1"},
                             {"PYTHONUNBUFFERED", "1"},
                             {"DDP_RUN_ID", "run.1"},
                             {"HELLO", scene.env["HELLO"]},
                             {"HOME", scene.env["HOME"]}};
    for (const auto& [name, value] : expected) {
      CAPTURE(name);
      CHECK(env[name] == value);
    }
    ports.insert(env["MASTER_PORT"]);
    ras_addresses.insert(env["NCCL_RAS_ADDR"]);
    CHECK(env["DDP_RUN_DIR"].rfind(scene.path("run/"), 0) == 0);
    CHECK(env["TORCHELASTIC_ERROR_FILE"] == env["DDP_RUN_DIR"] + "/errors_0/" + number + ".json");
    CHECK(env["NOTIFY_SOCKET"].rfind(env["DDP_RUN_DIR"], 0) == 0);
    CHECK(env.count("NCCL_HOSTID") == 0);
    CHECK(env.count("WATCHDOG_USEC") == 0);
    CHECK(env.count("TORCH_NCCL_DUMP_ON_TIMEOUT") == 0);  // no hang limit
  }
  REQUIRE(ports.size() == 1);  // one port for the whole generation
  CHECK(std::stoi(*ports.begin()) > 0);
  REQUIRE(ras_addresses.size() == 1);
  CHECK(ras_addresses.begin()->starts_with("127.0.0.1:"));
  CHECK_FALSE(ras_addresses.begin()->ends_with(":" + *ports.begin()));
}

TEST_CASE("each of two launches at once has another RAS address, the same in every attempt") {
  const Scene one_scene;
  const Scene other_scene;
  const auto addresses_of = [](const Finished& run) {
    std::set<std::string> addresses;
    for (const auto& [rank, lines] : by_rank(run.out)) addresses.insert(lines.begin(), lines.end());
    return addresses;
  };
  // Each waits for the other's first attempt; the second attempt exits.
  const auto launch = [](const Scene& scene, const Scene& other) {
    return scene.launch(
        Words{"--nproc", "2", "--max-restarts", "1"} + kRestartAtOnce,
        helper({"print", "{NCCL_RAS_ADDR}", "touch", scene.path("started"), "wait-file",
                other.path("started"), "on-generation", "0", "[", "exit", "3", "]"}));
  };
  Process first = launch(one_scene, other_scene);
  Process second = launch(other_scene, one_scene);
  const auto one = addresses_of(finish(one_scene, first));
  const auto two = addresses_of(finish(other_scene, second));
  REQUIRE(one.size() == 1);
  REQUIRE(two.size() == 1);
  CHECK(*one.begin() != *two.begin());
}

TEST_CASE(
    "with a hang limit PyTorch's flight recorder records, into the log directory if there is one") {
  const Scene scene;
  const Words limit{"--nproc", "2", "--timeout", "1h"};
  auto ranks = environments(scene.run(limit, helper({"env-all"})).out);
  REQUIRE(ranks.size() == 2);
  for (auto& [rank, env] : ranks) {
    CHECK(env["TORCH_FR_BUFFER_SIZE"] == "2000");
    CHECK(env["TORCH_NCCL_TRACE_BUFFER_SIZE"] == "2000");
    CHECK(env["TORCH_NCCL_DUMP_ON_TIMEOUT"] == "1");
    CHECK(env["TORCH_NCCL_DEBUG_INFO_PIPE_FILE"] == env["DDP_RUN_DIR"] + "/nccl_trace_rank_");
    CHECK(env.count("TORCH_NCCL_DEBUG_INFO_TEMP_FILE") == 0);
  }
  const auto run = scene.run(limit + Words{"--log-dir", scene.path("logs"), "--run-id", "r"},
                             helper({"env-all"}));
  ranks = environments(run.out);
  REQUIRE(ranks.size() == 2);
  for (auto& [rank, env] : ranks) {
    const auto dir = scene.path("logs/r/attempt_0/" + std::to_string(rank) + "/hang");
    CHECK(env["TORCH_NCCL_DEBUG_INFO_TEMP_FILE"] == dir + "/nccl_trace_rank_");
    CHECK(std::filesystem::is_directory(dir));
    CHECK_FALSE(env["TORCH_NCCL_DEBUG_INFO_PIPE_FILE"].starts_with(scene.path("logs")));
  }
}

TEST_CASE("variables set by the user are kept; one worker may use every core") {
  Scene scene;
  auto env = environments(scene.run({"--nproc", "1"}, helper({"env-all"})).out)[0];
  CHECK(env.count("OMP_NUM_THREADS") == 0);

  scene.env["OMP_NUM_THREADS"] = "7";
  scene.env["TORCH_NCCL_ASYNC_ERROR_HANDLING"] = "3";
  scene.env["NCCL_DEBUG"] = "INFO";
  scene.env["NCCL_RAS_ADDR"] = "localhost:28028";
  scene.env["TORCH_FR_BUFFER_SIZE"] = "10";
  scene.env["NOTIFY_SOCKET"] = "/run/of/a/service/manager";
  scene.env["WATCHDOG_USEC"] = "1000000";
  scene.env["WATCHDOG_PID"] = "1";
  scene.env["RANK"] = "99";
  env = environments(scene.run({"--nproc", "2", "--timeout", "1h"}, helper({"env-all"})).out)[1];
  CHECK(env["OMP_NUM_THREADS"] == "7");
  CHECK(env["NCCL_DEBUG"] == "INFO");
  CHECK(env["NCCL_RAS_ADDR"] == "localhost:28028");
  CHECK(env["TORCH_FR_BUFFER_SIZE"] == "10");
  CHECK(env.count("TORCH_NCCL_TRACE_BUFFER_SIZE") == 0);
  CHECK(env["TORCH_NCCL_ASYNC_ERROR_HANDLING"] == "3");
  CHECK(env.count("NCCL_ASYNC_ERROR_HANDLING") == 0);
  CHECK(env["RANK"] == "1");
  // Meant for the launcher, so not passed on.
  CHECK(env["NOTIFY_SOCKET"] != scene.env["NOTIFY_SOCKET"]);
  CHECK(env.count("WATCHDOG_USEC") == 0);
  CHECK(env.count("WATCHDOG_PID") == 0);
}

TEST_CASE("devices are visible to the whole group or one to each worker") {
  Scene scene;
  auto ranks =
      environments(scene.run({"--nproc", "2", "--devices", "2,5"}, helper({"env-all"})).out);
  CHECK(ranks[0]["CUDA_VISIBLE_DEVICES"] == "2,5");
  CHECK(ranks[1]["CUDA_VISIBLE_DEVICES"] == "2,5");
  CHECK(ranks[1]["LOCAL_RANK"] == "1");

  ranks = environments(
      scene
          .run({"--nproc", "2", "--devices", "2,5", "--virtual-local-rank", "--device-type", "hip"},
               helper({"env-all"}))
          .out);
  CHECK(ranks[0]["HIP_VISIBLE_DEVICES"] == "2");
  CHECK(ranks[1]["HIP_VISIBLE_DEVICES"] == "5");
  CHECK(ranks[1]["LOCAL_RANK"] == "0");
  CHECK(ranks[1].count("CUDA_VISIBLE_DEVICES") == 0);
}

TEST_CASE("a worker has descriptors 0 to 2 and no other") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2"}, helper({"fds"}));
  start.extra_fds = {3, 7, 33, 200};
  Process launch(std::move(start));
  const auto run = finish(scene, launch);
  REQUIRE(run.status == Status{.code = 0});
  for (const auto& [rank, lines] : by_rank(run.out)) {
    CAPTURE(rank);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "fd 0 /dev/null");
    CHECK(lines[1].rfind("fd 1 pipe:", 0) == 0);
    CHECK(lines[2].rfind("fd 2 pipe:", 0) == 0);
  }
}

TEST_CASE("a launcher started with closed descriptors gives its workers open ones") {
  const Scene scene;
  for (const int closed : {0, 1, 2}) {
    CAPTURE(closed);
    const std::string run_id = "closed" + std::to_string(closed);
    auto start = scene.start(
        {"--nproc", "1", "--log-dir", "logs", "--run-id", run_id, "--tee", "1"}, helper({"fds"}));
    start.closed_fds = {closed};
    Process launch(std::move(start));
    CHECK(finish(scene, launch).status == Status{.code = 0});
    const auto fds = lines_of(read_file(scene.path("logs/" + run_id + "/attempt_0/0/stdout.log")));
    REQUIRE(fds.size() == 3);
    CHECK(fds[0] == "fd 0 /dev/null");
    CHECK(contains(fds[1], "fd 1 pipe:"));
    CHECK(contains(fds[2], "fd 2 pipe:"));
  }
}

TEST_CASE("a worker starts with an empty mask and default dispositions") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2"}, helper({"signals"}));
  // Except SIGKILL, SIGSTOP and the two that glibc reserves.
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP || signal == 32 || signal == 33) continue;
    if (signal != SIGHUP) start.ignored.push_back(signal);
    start.blocked.push_back(signal);
  }
  Process launch(std::move(start));
  const auto run = finish(scene, launch);
  REQUIRE(run.status == Status{.code = 0});
  const auto ranks = by_rank(run.out);
  REQUIRE(ranks.size() == 2);
  for (const auto& [rank, lines] : ranks) {
    CAPTURE(rank);
    CHECK(lines == Words{"signals SigBlk:\t0000000000000000", "signals SigIgn:\t0000000000000000",
                         "signals SigCgt:\t0000000000000000"});
  }
}

TEST_CASE("nohup: an ignored SIGHUP stays ignored in launcher and workers") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2"},
                           helper({"signals", "print", "up", "wait-file", scene.path("go")}));
  start.ignored = {SIGHUP};
  Process launch(std::move(start));
  CHECK(contains(launch.until("SigIgn"), "0000000000000001"));
  launch.until("up");
  launch.until("up");
  launch.send_signal(SIGHUP);
  for (const auto& process : descendants(launch.pid())) kill(process.pid, SIGHUP);
  write_file(scene.path("go"), "");
  CHECK(finish(scene, launch).status == Status{.code = 0});
}

TEST_CASE("arguments and working directory are passed on unchanged") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "1", "--output", "raw"},
      helper({"cwd", "print", "", "print", "a  b\t'\"$HOME\\", "print", "--nproc", "print", "--"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(run.out == scene.directory.string() + "\n\na  b\t'\"$HOME\\\n--nproc\n--\n");
}

TEST_CASE("stdin goes to the rank of --stdin") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2", "--stdin", "1"}, helper({"stdin"}));
  start.stdio = Stdio::pipes;
  Process launch(std::move(start));
  launch.send("for rank one\n");
  CHECK(launch.until("for rank one") == "[1] for rank one");
  launch.close_stdin();
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(run.out == "[1] for rank one\n");
}

TEST_CASE("MASTER_PORT is reserved until the worker binds it") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2"}, helper({"on-rank", "0", "[", "listen-master", "]",
                                                       "barrier", scene.directory.string()}));
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
}

TEST_CASE("a worker can bind MASTER_PORT without SO_REUSEADDR in every attempt") {
  std::istringstream range(read_file("/proc/sys/net/ipv4/ip_local_port_range"));
  int first = 0;
  int last = 65535;
  if (!(range >> first >> last) || (first < 11'000 && last > 64'535)) {
    MESSAGE("net.ipv4.ip_local_port_range leaves no room here: a socket holds MASTER_PORT");
    return;
  }
  const Scene scene;
  const auto run = scene.run(Words{"--nproc", "2", "--max-restarts", "4"} + kRestartAtOnce,
                             helper({"on-rank",
                                     "0",
                                     "[",
                                     "listen-master-plain",
                                     "print",
                                     "{MASTER_PORT}",
                                     "]",
                                     "barrier",
                                     scene.directory.string(),
                                     "on-generation",
                                     "0,1,2,3",
                                     "[",
                                     "on-rank",
                                     "0",
                                     "[",
                                     "exit",
                                     "3",
                                     "]",
                                     "pause",
                                     "]"}));
  CHECK(run.status == Status{.code = 0});
  CHECK_FALSE(contains(run.err, "Address already in use"));
  const auto ports = by_rank(run.out)[0];
  CHECK(ports.size() == 5);
}

// --preflight, and what a launch warns of by itself.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

using namespace ddp::test;

namespace {

// The command with a /dev that has 64 MiB of shared memory, as a container, and one GPU's node.
Start in_container(const Scene& scene, const Words& flags, const Words& command) {
  Start start = scene.start(flags, command);
  start.argv =
      Words{"unshare",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs t \"$0\" && cp -a /dev/null /dev/urandom \"$0\" && mkdir \"$0\"/shm && "
            "mount -t tmpfs -o size=64m s \"$0\"/shm && touch \"$0\"/nvidia0 && "
            "mount --rbind \"$0\" /dev && exec \"$@\"",
            scene.path("dev")} +
      start.argv;
  std::filesystem::create_directory(scene.path("dev"));
  return start;
}

bool can_mount() {
  if (geteuid() == 0) {
    const Scene scene;
    Process tried(in_container(scene, {"--version"}, {}));
    if (tried.wait() == Status{.code = 0}) return true;
  }
  MESSAGE("no mount namespace can be made here");
  return false;
}

std::string python_script(const Scene& scene) {
  write_file(scene.path("train.py"), "print('trained')\n");
  return scene.path("train.py");
}

const std::string kLaunchWarning =
    "ddp-launch: warning: shared memory: 64 MiB free in /dev/shm, expected 1 GiB: 256 MiB for each "
    "rank; data loaders of PyTorch and NCCL share memory there; in Docker, start the container "
    "with --shm-size or --ipc=host\n";

}  // namespace

TEST_CASE("--preflight prints a table, starts nothing and leaves nothing") {
  const Scene scene;
  const auto run =
      scene.run({"--preflight", "--log-dir", scene.path("logs")}, {"touch", scene.path("started")});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  for (const char* check : {"shared memory", "open files", "locked memory", "core files",
                            "log directory", "rendezvous", "CPUs", "memory", "devices"})
    CHECK(contains(run.out, "\n" + std::string(check) + " "));
  for (const auto& line : lines_of(run.out)) CHECK(line.size() <= 80);
  CHECK(contains(run.out, "; nothing was started\n"));
  CHECK_FALSE(std::filesystem::exists(scene.path("started")));
  CHECK_FALSE(std::filesystem::exists(scene.path("logs")));
}

TEST_CASE("--preflight exits with 71 where the launch cannot succeed") {
  Scene scene;
  scene.env["GLOO_SOCKET_IFNAME"] = "nosuch0";
  const auto run = scene.run({"--preflight"}, {"true"});
  CHECK(run.status == Status{.code = 71});
  CHECK(contains(run.out, "GLOO_SOCKET_IFNAME  refused"));
  CHECK(contains(run.out, ", 1 refused; nothing was started\n"));
}

TEST_CASE("--preflight shows a rendezvous that a launch would refuse") {
  const Scene scene;
  const auto run = scene.run({"--preflight", "--master-addr", "no-such-host.invalid"}, {"true"});
  const auto launch = scene.run({"--master-addr", "no-such-host.invalid"}, {"true"});
  // Where no name server answers, the name may exist: a warning in both.
  const bool refused = launch.status == Status{.code = 2};
  CHECK(run.status == Status{.code = refused ? 71 : 0});
  CHECK(contains(run.out, refused ? "rendezvous          refused" : "rendezvous          warning"));
}

TEST_CASE("--preflight and --dry-run exclude each other; other mistakes are refused as ever") {
  const Scene scene;
  const auto both = scene.run({"--preflight", "--dry-run"}, {"true"});
  CHECK(both.status == Status{.code = 2});
  CHECK(both.err ==
        "ddp-launch: --preflight and --dry-run are both given: expected one of the two\n");
  CHECK(scene.run({"--preflight", "--nproc", "0"}, {"true"}).status == Status{.code = 2});
}

TEST_CASE("a launch warns of what is certain to fail, once, and starts all the same") {
  Scene scene;
  scene.env["GLOO_SOCKET_IFNAME"] = "nosuch0";
  const auto run = scene.run({"--nproc", "2", "--log-dir", scene.path("logs"), "--run-id", "r"},
                             {"echo", "here"});
  CHECK(run.status == Status{.code = 0});
  CHECK(by_rank(run.out)[0] == Words{"here"});
  REQUIRE(lines_of(run.err).size() == 1);
  CHECK(run.err.starts_with(
      "ddp-launch: warning: GLOO_SOCKET_IFNAME: 'nosuch0': there is no such interface, expected an "
      "interface that is up; unset it"));
  const auto events = lines_of(read_file(scene.path("logs/r/events.jsonl")));
  REQUIRE(events.size() > 2);
  CHECK(contains(events[0], "\"event\":\"run_started\""));
  CHECK(contains(events[1],
                 "\"event\":\"preflight\",\"check\":\"GLOO_SOCKET_IFNAME\",\"found\":\"'nosuch0': "
                 "there is no such interface\",\"wanted\":\"an interface that is up\",\"level\":"
                 "\"refused\""));
  CHECK_FALSE(contains(events[2], "preflight"));
}

TEST_CASE("a healthy launch says nothing and records nothing") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "4", "--log-dir", scene.path("logs"), "--run-id", "r"}, {"true"});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  CHECK_FALSE(contains(read_file(scene.path("logs/r/events.jsonl")), "preflight"));
}

TEST_CASE("64 MiB of shared memory are too few for four ranks of Python, not for one") {
  if (kSanitized || !can_mount()) return;
  {
    const Scene scene;
    Process launch(
        in_container(scene, {"--nproc", "4", "--device-type", "cpu"}, {python_script(scene)}));
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 0});
    CHECK(run.err == kLaunchWarning);
  }
  for (const Words& few : {Words{"1", "python3"}, Words{"4", "true"}}) {
    const Scene scene;
    const Words command = few[1] == "true" ? Words{"true"} : Words{python_script(scene)};
    Process launch(in_container(scene, {"--nproc", few[0], "--device-type", "cpu"}, command));
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 0});
    CHECK(run.err == "");
  }
}

TEST_CASE("--preflight names who uses a device") {
  if (kSanitized || !can_mount()) return;
  Scene scene;
  write_file(scene.path("devices"),
             "device GPU-aaa 1000 2000 process " + std::to_string(getpid()) + " 1024\n");
  scene.env["LD_LIBRARY_PATH"] = DDP_FAKE_NVML_DIR;
  scene.env["DDP_FAKE_NVML"] = scene.path("devices");
  Process launch(in_container(scene, {"--preflight"}, {"true"}));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.out, "use of devices      warning  device 0: "));
  CHECK(contains(run.out, "e2e_preflight"));
  CHECK(contains(run.out, "1 KiB)"));
}

namespace {

// A launch of one rank whose first attempt prints its pid and exits with 1, on a machine with one
// device that the double of NVML describes.
Process restarted_with_device(Scene& scene, const Words& flags) {
  scene.env["LD_LIBRARY_PATH"] = DDP_FAKE_NVML_DIR;
  scene.env["DDP_FAKE_NVML"] = scene.path("devices");
  return Process(
      in_container(scene,
                   Words{"--nproc", "1", "--max-restarts", "1", "--log-dir", scene.path("logs"),
                         "--run-id", "r"} +
                       kRestartAtOnce + flags,
                   helper({"print", "pid {PID}", "on-generation", "0", "[", "exit", "1", "]"})));
}

std::string device_used_by(const std::string& pid) {
  return "device GPU-aaa 3221225472 9000000000 process " + pid + " 3221225472\n";
}

std::string first_pid(Process& launch) {
  const std::string line = launch.until("pid ");
  return line.substr(line.find("pid ") + 4);
}

// Answers the next question: the double reads its devices from a FIFO, and two writings that meet
// one reader would be one answer.
void answer(const Scene& scene, const std::string& devices) {
  const std::string path = scene.path("devices");
  const Deadline deadline;
  for (int fd = 0; (fd = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0; close(fd)) {
    if (deadline.passed()) throw Timeout("the reader of " + path + " stays");
    sched_yield();
  }
  write_file(path, devices);
}

JsonLine device_wait(const Scene& scene) {
  const auto waits = events_named(scene.path("logs/r/events.jsonl"), "device_wait");
  return waits.size() == 1 ? waits[0] : JsonLine();
}

}  // namespace

TEST_CASE("a restart waits until the device has released the last attempt's memory") {
  if (kSanitized || !can_mount()) return;
  Scene scene;
  REQUIRE(mkfifo(scene.path("devices").c_str(), 0600) == 0);
  Process launch = restarted_with_device(scene, {});
  const std::string pid = first_pid(launch);
  answer(scene, device_used_by(pid));
  answer(scene, device_used_by(std::to_string(getpid())));  // someone else's
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(
      contains(run.err, "ddp-launch: device 0 released 3 GiB of pid " + pid + " (rank 0) after "));
  const auto wait = device_wait(scene);
  CHECK(field(wait, "gen") == "1");
  CHECK(field(wait, "device") == "0");
  CHECK(field(wait, "holders") == "pid " + pid + " (rank 0)");
  CHECK(field(wait, "released") == "true");
}

TEST_CASE("a restart waits no longer than --device-release-timeout, and names the holder") {
  if (kSanitized || !can_mount()) return;
  Scene scene;
  REQUIRE(mkfifo(scene.path("devices").c_str(), 0600) == 0);
  Process launch = restarted_with_device(scene, {"--device-release-timeout", "1s"});
  const std::string pid = first_pid(launch);
  answer(scene, device_used_by(pid));
  // Nothing is written to the FIFO any more: ddp-devices hangs, as with a broken driver.
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err, "ddp-launch: warning: device 0 still holds 3 GiB of pid " + pid +
                              " (rank 0) after "));
  CHECK(contains(run.err, "; attempt 1 starts all the same\n"));
  CHECK(field(device_wait(scene), "released") == "false");
}

TEST_CASE("a stop request ends the wait for a device at once") {
  if (kSanitized || !can_mount()) return;
  Scene scene;
  REQUIRE(mkfifo(scene.path("devices").c_str(), 0600) == 0);
  Process launch = restarted_with_device(scene, {"--device-release-timeout", "10m"});
  answer(scene, device_used_by(first_pid(launch)));
  const int writer = open(scene.path("devices").c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(writer >= 0);  // ddp-devices reads
  kill(launch.pid(), SIGTERM);
  const auto run = finish(scene, launch);
  close(writer);
  CHECK(run.status == Status{.code = 143});
}

TEST_CASE("no wait with a timeout of 0, and none for a process that has ended and released all") {
  if (kSanitized || !can_mount()) return;
  for (const bool waits : {false, true}) {
    Scene scene;
    write_file(scene.path("devices"),
               waits ? "device GPU-aaa 0 9000000000\n" : device_used_by("1 0 process 999999999"));
    Process launch =
        restarted_with_device(scene, waits ? Words{} : Words{"--device-release-timeout", "0s"});
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 0});
    CHECK_FALSE(contains(run.err, "device"));
    CHECK(device_wait(scene).empty());
  }
}

// --preflight, and what a launch warns of by itself.
#include "tests/e2e/launch.hpp"

#include <unistd.h>

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

// --bind: where ranks run, as they see it. The tests run under whatever mask they were given.
#include "tests/e2e/launch.hpp"

#include <sched.h>

#include <algorithm>

using namespace ddp::test;

namespace {

const Words kSeeMask{"/bin/sh", "-c",
                     "grep Cpus_allowed_list /proc/self/status; echo threads $OMP_NUM_THREADS"};
const std::string kServer = "pack:2 numa:2 l3:2 core:4 pu:2";

std::vector<int> own_cpus() {
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// The CPUs that --dry-run and --report-bindings name, for a launch restricted to `cpus`.
Start restricted(const Scene& scene, const std::string& cpus, const Words& flags,
                 const Words& command) {
  Start start = scene.start(flags, command);
  start.argv = Words{"taskset", "-c", cpus} + start.argv;
  return start;
}

Finished run_on(const Scene& scene, const std::string& cpus, const Words& flags,
                const Words& command) {
  Process launch(restricted(scene, cpus, flags, command));
  return finish(scene, launch);
}

// Whether each CPU is a core by itself, as far as this machine shows.
bool has_hardware_threads(const std::vector<int>& cpus) {
  for (const int cpu : cpus) {
    const auto text = read_file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                "/topology/thread_siblings_list");
    if (text.find_first_of(",-") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("--bind core gives each rank a CPU of its mask, and a restart the same one") {
  const auto cpus = own_cpus();
  if (has_hardware_threads(cpus)) {
    MESSAGE("cores here have several CPUs");
    return;
  }
  Scene scene;
  const int nproc = std::min<int>(2, static_cast<int>(cpus.size()));
  auto run = scene.run({"--nproc", std::to_string(nproc), "--bind", "core", "--report-bindings"},
                       kSeeMask);
  CHECK(run.status == Status{.code = 0});
  auto lines = by_rank(run.out);
  for (int rank = 0; rank < nproc; ++rank) {
    const std::string cpu = std::to_string(cpus[static_cast<std::size_t>(rank)]);
    CHECK(lines[rank] == Words{"Cpus_allowed_list:\t" + cpu, "threads 1"});
    CHECK(contains(run.err, "ddp-launch: rank " + std::to_string(rank) + ": CPU " + cpu));
  }
  CHECK(std::ssize(lines_of(run.err)) == nproc);

  // Once for the launch, not for each attempt.
  run = scene.run(
      Words{"--nproc", "1", "--bind", "core", "--report-bindings", "--max-restarts", "1"} +
          kRestartAtOnce,
      {"/bin/sh", "-c",
       "grep Cpus_allowed_list /proc/self/status; exit $((1-TORCHELASTIC_RESTART_COUNT))"});
  CHECK(run.status == Status{.code = 0});
  const std::string first = "Cpus_allowed_list:\t" + std::to_string(cpus[0]);
  CHECK(by_rank(run.out)[0] == Words{first, first});
  CHECK(run.err.find("rank 0: CPU ") == run.err.rfind("rank 0: CPU "));
}

TEST_CASE("without --bind ranks have the launcher's mask, and their threads are as before") {
  const Scene scene;
  const auto own = scene.run({"--nproc", "2"}, kSeeMask);
  const auto lines = by_rank(own.out);
  CHECK(lines.at(0) == lines.at(1));
  CHECK(lines.at(0)[1] == "threads 1");
  CHECK(own.err == "");
  const auto reported = scene.run({"--nproc", "1", "--report-bindings"}, {"true"});
  CHECK(contains(reported.err, "ddp-launch: rank 0: not bound, may use CPU"));
}

TEST_CASE("the user's OMP_NUM_THREADS stays") {
  Scene scene;
  scene.env["OMP_NUM_THREADS"] = "7";
  CHECK(by_rank(scene.run({"--nproc", "1", "--bind", "numa"}, kSeeMask).out)[0][1] == "threads 7");
}

TEST_CASE("what one allowed CPU cannot give is refused, and what it can give is given") {
  const std::string cpu = std::to_string(own_cpus().front());
  const Scene scene;
  for (const char* binding : {"core", "exclusive"}) {
    const auto run = run_on(scene, cpu, {"--nproc", "2", "--bind", binding}, {"true"});
    CHECK(run.status == Status{.code = 2});
    CHECK(run.err == std::string("ddp-launch: --bind ") + binding +
                         " needs a core for each of 2 workers, and ddp-launch may use 1 (CPUs " +
                         cpu + "): expected at most 1 worker, or --bind numa\n");
  }
  for (const char* binding : {"numa", "socket"}) {
    const auto run = run_on(scene, cpu, {"--nproc", "2", "--bind", binding}, kSeeMask);
    CHECK(run.status == Status{.code = 0});
    for (const int rank : {0, 1})
      CHECK(by_rank(run.out)[rank] == Words{"Cpus_allowed_list:\t" + cpu, "threads 1"});
  }
}

TEST_CASE("--dry-run shows places, of another machine as well, which a launch refuses") {
  Scene scene;
  scene.env["HWLOC_SYNTHETIC"] = kServer;
  const auto shown = scene.run(
      {"--nproc", "4", "--bind", "exclusive", "--dry-run", "--report-bindings"}, {"true"});
  CHECK(shown.status == Status{.code = 0});
  CHECK(contains(shown.err, "ddp-launch: rank 3: CPUs 48-63, NUMA node 3\n"));
  CHECK(contains(shown.out, "RANK  device  CPUs   NUMA node"));
  CHECK(contains(shown.out, "3     -       48-63  3 "));
  CHECK(contains(shown.out, "OMP_NUM_THREADS                  8\n"));
  const auto refused = scene.run({"--nproc", "4", "--bind", "numa"}, {"true"});
  CHECK(refused.status == Status{.code = 2});
  CHECK(contains(refused.err, "HWLOC_SYNTHETIC or HWLOC_XMLFILE describes another machine"));
}

TEST_CASE("without ddp-topology only a binding is refused") {
  const Scene scene;
  const std::string copy = scene.path("ddp-launch");
  std::filesystem::copy_file(launcher_path(), copy);
  Start start = scene.start({"--bind", "numa"}, {"true"});
  start.argv.front() = copy;
  Process bound(start);
  auto run = finish(scene, bound);
  CHECK(run.status == Status{.code = 71});
  CHECK(run.err == "ddp-launch: --bind numa: cannot run " + scene.path("ddp-topology") +
                       ": No such file or directory; it belongs next to ddp-launch\n");
  start = scene.start({"--report-bindings"}, {"true"});
  start.argv.front() = copy;
  Process free(start);
  CHECK(finish(scene, free).status == Status{.code = 0});

  write_script(scene.path("ddp-topology"), "#!/bin/sh\necho no hwloc; exit 1\n");
  start = scene.start({"--bind", "numa"}, {"true"});
  start.argv.front() = copy;
  Process failing(start);
  run = finish(scene, failing);
  CHECK(run.status == Status{.code = 71});
  CHECK(run.err ==
        "ddp-launch: --bind numa: " + scene.path("ddp-topology") + " failed: no hwloc\n");
}

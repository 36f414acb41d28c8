// --bind: where ranks run, as they see it. The tests run under whatever mask they were given.
#include "tests/e2e/launch.hpp"

#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <utility>

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
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// A launch restricted to `cpus`.
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

// The CPUs of the kernel's "0-2,5".
std::vector<int> cpus_of(const std::string& ranges) {
  std::vector<int> cpus;
  for (std::size_t begin = 0; begin < ranges.size();) {
    const std::string range = ranges.substr(begin, ranges.find(',', begin) - begin);
    const auto dash = range.find('-');
    const int last = std::stoi(range.substr(dash == std::string::npos ? 0 : dash + 1));
    for (int cpu = std::stoi(range); cpu <= last; ++cpu) cpus.push_back(cpu);
    begin += range.size() + 1;
  }
  return cpus;
}

// The CPUs that --report-bindings names for a rank, "0-2,5". Empty: it names none.
std::string reported_cpus(const std::string& err, int rank) {
  const std::string name = "ddp-launch: rank " + std::to_string(rank) + ": CPU";
  for (const std::string& line : lines_of(err)) {
    if (!line.starts_with(name)) continue;
    const auto begin = line.find(' ', name.size()) + 1;
    return line.substr(begin, line.find(", ", begin) - begin);
  }
  return "";
}

// A launch by a copy of ddp-launch whose ddp-topology is this script.
Start with_topology(const Scene& scene, const std::string& script, const Words& flags,
                    const Words& command) {
  const std::string copy = scene.path("ddp-launch");
  if (!std::filesystem::exists(copy)) std::filesystem::copy_file(launcher_path(), copy);
  write_script(scene.path("ddp-topology"), "#!/bin/sh\n" + script + "\n");
  Start start = scene.start(flags, command);
  start.argv.front() = copy;
  return start;
}

}  // namespace

TEST_CASE("--bind core gives each rank a core of its mask") {
  const auto allowed = own_cpus();
  const Scene scene;
  const Words two{"--nproc", "2", "--bind", "core", "--report-bindings"};
  const auto planned = scene.run(two + Words{"--dry-run"}, {"true"});
  if (planned.status == Status{.code = 2}) {
    MESSAGE("one core is allowed here");
    CHECK(contains(planned.err, "needs a core for each of 2 workers"));
    return;
  }
  const auto run = scene.run(two, kSeeMask);
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == planned.err);
  CHECK(std::ssize(lines_of(run.err)) == 2);
  auto lines = by_rank(run.out);
  std::set<int> taken;
  for (int rank = 0; rank < 2; ++rank) {
    const std::string cpus = reported_cpus(planned.err, rank);
    REQUIRE(cpus != "");
    CHECK(lines[rank] == Words{"Cpus_allowed_list:\t" + cpus, "threads 1"});
    for (const int cpu : cpus_of(cpus)) {
      CHECK(std::binary_search(allowed.begin(), allowed.end(), cpu));
      CHECK_MESSAGE(taken.insert(cpu).second, "CPU ", cpu, " is of two ranks");
    }
  }
}

TEST_CASE("a restarted rank has the same core, and the report is printed once") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "1", "--bind", "core", "--report-bindings", "--max-restarts", "1"} +
          kRestartAtOnce,
      {"/bin/sh", "-c",
       "grep Cpus_allowed_list /proc/self/status; exit $((1-TORCHELASTIC_RESTART_COUNT))"});
  CHECK(run.status == Status{.code = 0});
  const std::string first = "Cpus_allowed_list:\t" + reported_cpus(run.err, 0);
  CHECK(by_rank(run.out)[0] == Words{first, first});
  REQUIRE(reported_cpus(run.err, 0) != "");
  CHECK(run.err.find("rank 0: CPU") == run.err.rfind("rank 0: CPU"));
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

  // Its own message is the last one: what the dynamic linker or hwloc warns of comes before it.
  Process failing(with_topology(scene, "echo warning >&2; echo no hwloc >&2; exit 1",
                                {"--bind", "numa"}, {"true"}));
  run = finish(scene, failing);
  CHECK(run.status == Status{.code = 71});
  CHECK(run.err ==
        "ddp-launch: --bind numa: " + scene.path("ddp-topology") + " failed: no hwloc\n");
}

TEST_CASE("what else ddp-topology's process writes to stderr does not matter") {
  Scene scene;
  scene.env["HWLOC_COMPONENTS_VERBOSE"] = "1";
  scene.env["LD_PRELOAD"] = "/nonexistent/library.so";
  const auto run =
      scene.run({"--nproc", "1", "--bind", "numa"}, {"env", "-u", "LD_PRELOAD", "true"});
  CHECK(run.status == Status{.code = 0});
}

TEST_CASE("a stop request ends the launch while the machine is read") {
  const std::pair<int, std::string> requests[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}};
  for (const auto& [signal, name] : requests) {
    CAPTURE(name);
    for (const Words& more : {Words{}, {"--dry-run"}}) {
      const Scene scene;
      REQUIRE(::mkfifo(scene.path("seen").c_str(), 0600) == 0);
      Start start =
          with_topology(scene, "echo asked >" + scene.path("seen") + "; exec tail -f /dev/null",
                        Words{"--nproc", "2", "--bind", "core", "--report-bindings"} + more,
                        helper({"touch", scene.path("started"), "pause"}));
      Process launch(std::move(start));
      CHECK(read_file(scene.path("seen")) == "asked\n");
      launch.send_signal(signal);
      const auto run = finish(scene, launch);
      CHECK(run.status == Status{.code = 128 + signal});
      CHECK(run.out == "");
      CHECK(run.err == "ddp-launch: stopped by " + name + " before any rank was started\n");
      CHECK_FALSE(std::filesystem::exists(scene.path("started")));
    }
  }
}

// The files of two runs of one name: each has its own directory.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <signal.h>

using namespace ddp::test;

namespace {

const Words kFlags{"--nproc", "1", "--log-dir", "logs", "--run-id", "run1", "--tee", "1"};

// The content of each file below `directory`.
std::map<std::string, std::string> contents(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) files[entry.path().string()] = read_file(entry.path());
  }
  return files;
}

}  // namespace

TEST_CASE("a second run of the same name keeps the first one's files") {
  const Scene scene;
  const auto steps = [](const char* text) {
    return helper({"print", text, "print", "{DDP_RUN_DIR} {DDP_RUN_ID}"});
  };
  const auto first = scene.run(kFlags, steps("first"));
  CHECK(first.out == "[0] first\n[0] logs/run1 run1\n");
  CHECK(first.err == "");
  const auto before = contents(scene.path("logs"));
  CHECK(before.size() == 3);  // events.jsonl, report.html and stdout.log

  const auto second = scene.run(kFlags, steps("second"));
  CHECK(second.status == Status{.code = 0});
  CHECK(second.out == "[0] second\n[0] logs/run1.2 run1\n");
  CHECK(second.err == "ddp-launch: logs/run1 exists: this run's files are in logs/run1.2\n");
  CHECK(contents(scene.path("logs/run1")) == before);
  CHECK(read_file(scene.path("logs/run1.2/attempt_0/0/stdout.log")) ==
        "second\nlogs/run1.2 run1\n");
  const auto started = events_named(scene.path("logs/run1.2/events.jsonl"), "run_started");
  REQUIRE(started.size() == 1);
  CHECK(field(started[0], "run_id") == "run1");

  CHECK(contains(scene.run(kFlags, steps("third")).err, "are in logs/run1.3\n"));
}

TEST_CASE("two runs of the same name at the same time share no file") {
  const Scene scene;
  const auto steps = [&](const char* name) {
    return helper({"print", name, "wait-file", scene.path("go"), "print", "after"});
  };
  Process one = scene.launch(kFlags, steps("one"));
  Process two = scene.launch(kFlags, steps("two"));
  one.until("one");
  two.until("two");  // both are running
  write_file(scene.path("go"), "");
  CHECK(one.wait() == Status{.code = 0});
  CHECK(two.wait() == Status{.code = 0});
  const bool one_first = one.err().empty();
  CHECK((one_first ? two : one).err() ==
        "ddp-launch: logs/run1 exists: this run's files are in logs/run1.2\n");
  const auto kept = [&](const std::string& name) {
    CHECK(events_named(scene.path("logs/" + name + "/events.jsonl"), "run_started").size() == 1);
    return read_file(scene.path("logs/" + name + "/attempt_0/0/stdout.log"));
  };
  CHECK(kept("run1") == std::string(one_first ? "one" : "two") + "\nafter\n");
  CHECK(kept("run1.2") == std::string(one_first ? "two" : "one") + "\nafter\n");
}

TEST_CASE("after the supervisor is killed the result is in the run's directory") {
  const Scene scene;
  write_file(scene.path("plan.toml"), "fault = ['kill@rank=0,after=1h']\n[expect]\nexit = 0\n");
  const Words flags = kFlags + Words{"--faults", scene.path("plan.toml")};
  std::filesystem::create_directories(scene.path("logs/run1"));
  Process launch = scene.launch(flags, helper({"print", "up", "pause"}));
  launch.until("up");
  kill(supervisor_pid(launch), SIGKILL);
  CHECK(finish(scene, launch).status.code == 73);
  CHECK(contents(scene.path("logs/run1")).empty());
  CHECK(events_named(scene.path("logs/run1.2/events.jsonl"), "expectation").size() == 2);
}

TEST_CASE("a run leaves its page, and one that cannot be written changes nothing but a line") {
  const Scene scene;
  const auto run = scene.run(kFlags, {"sh", "-c", "echo '<last> line'; exit 3"});
  CHECK(run.status == Status{.code = 3});
  const auto page = read_file(scene.path("logs/run1/report.html"));
  CHECK(contains(page, "The run failed with exit code 3"));
  CHECK(contains(page, "&lt;last&gt; line"));
  CHECK(contains(page, "ddp-launch --"));

  const auto blocked = scene.run(kFlags, {"sh", "-c", "mkdir \"$DDP_RUN_DIR/report.html\""});
  CHECK(blocked.status == Status{.code = 0});
  CHECK_MESSAGE(contains(blocked.err, "no report.html: logs/run1.2/report.html: "), blocked.err);
}

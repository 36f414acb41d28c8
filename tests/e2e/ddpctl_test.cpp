// The program ddpctl with real launches: it finds them and acts on them.
#include "tests/e2e/control.hpp"
#include "tests/support/json_lines.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

using namespace ddp::test;

namespace {

// The words of each line.
std::vector<Words> cells(const std::string& table) {
  std::vector<Words> rows;
  for (const auto& line : lines_of(table)) {
    std::istringstream stream(line);
    Words row;
    for (std::string word; stream >> word;) row.push_back(word);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<JsonLine> control_events(const Scene& scene) {
  return events_named(scene.path("logs/r/events.jsonl"), "control");
}

const Words kLogged{"--run-id", "r", "--log-dir", "logs"};

}  // namespace

TEST_CASE("list shows the runs of the user, and none leaves an empty answer") {
  const Scene scene;
  CHECK(ctl(scene, {"list"}).out == "");
  CHECK(ctl(scene, {"list"}).status == Status{.code = 0});
  Process one =
      scene.launch({"--nproc", "3", "--run-id", "first"}, helper({"print", "up", "pause"}));
  one.until("up");
  one.until("up");
  one.until("up");
  Process two =
      scene.launch({"--nproc", "1", "--run-id", "second"}, helper({"print", "up", "pause"}));
  two.until("up");
  const auto listed = ctl(scene, {"list"});
  CHECK(listed.status == Status{.code = 0});
  CHECK(listed.err == "");
  const auto rows = cells(listed.out);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0] == Words{"RUN", "PID", "AGE", "STATE", "RANKS", "COMMAND"});
  CHECK(rows[1][0] == "first");
  CHECK(rows[1][1] == std::to_string(one.pid()));
  CHECK(contains(listed.out, "running"));
  CHECK(contains(listed.out, " 0-2 "));
  CHECK(contains(listed.out, "ddp-test-helper print up pause"));
  CHECK(rows[2][0] == "second");

  const auto several = ctl(scene, {"stop"});
  CHECK(several.status == Status{.code = 2});
  CHECK(
      contains(several.err, "several runs: first (pid " + std::to_string(one.pid()) + "), second"));
  CHECK(lines_of(several.err).size() == 1);
  const auto unknown = ctl(scene, {"stop", "--run", "third"});
  CHECK(unknown.status == Status{.code = 1});
  CHECK(contains(unknown.err, "no run is named 'third': running are first"));
  CHECK(ctl(scene, {"stop", "--run", "second"}).status == Status{.code = 0});
  CHECK(two.wait() == Status{.code = 143});
  // By its pid, while it is the only one as well.
  CHECK(ctl(scene, {"stop", "--run", std::to_string(one.pid())}).status == Status{.code = 0});
  CHECK(finish(scene, one).status == Status{.code = 143});
  const auto none = ctl(scene, {"stop"});
  CHECK(none.status == Status{.code = 1});
  CHECK(none.err == "ddpctl: no run of ddp-launch was found\n");
}

TEST_CASE("stop is as SIGTERM to the launcher, announced before it acts") {
  const Scene scene;
  Process launch =
      scene.launch(kLogged + Words{"--nproc", "2"},
                   helper({"on-signal", "TERM", "[", "exit", "0", "]", "print", "up", "pause"}));
  launch.until("up");
  launch.until("up");
  const auto stopped = ctl(scene, {"stop"});
  CHECK(stopped.status == Status{.code = 0});
  CHECK(stopped.out + stopped.err == "");
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK(contains(run.err, "): stop\n"));
  CHECK(contains(run.err, "stopped by SIGTERM"));
  const auto events = control_events(scene);
  REQUIRE(events.size() == 1);
  CHECK(field(events[0], "command") == "stop");
  CHECK(field(events[0], "by_uid") == std::to_string(geteuid()));
  CHECK(std::stoi(field(events[0], "by_pid")) > 1);
  const auto teardown = events_named(scene.path("logs/r/events.jsonl"), "teardown_began");
  REQUIRE(teardown.size() == 1);
  CHECK(std::stoll(field(events[0], "t_ns")) < std::stoll(field(teardown[0], "t_ns")));
}

TEST_CASE("a stale socket is ignored, and the private directory is the user's alone") {
  const Scene scene;
  Process launch =
      scene.launch({"--nproc", "1", "--run-id", "r"}, helper({"print", "up", "pause"}));
  launch.until("up");
  const std::string socket = control_socket(scene);
  struct stat info {};
  REQUIRE(stat(socket.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  REQUIRE(stat(std::filesystem::path(socket).parent_path().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0700);
  // As a launcher leaves them whose two processes are killed at once.
  for (const char* name : {"run/ddp-launch-stale1", "run/ddp-launch-empty1"})
    std::filesystem::create_directories(scene.path(name));
  leave_stale_socket(scene.path("run/ddp-launch-stale1/control"));
  const auto listed = ctl(scene, {"list"});
  CHECK(listed.err == "");
  CHECK(lines_of(listed.out).size() == 2);
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(launch.wait() == Status{.code = 143});
  CHECK(ctl(scene, {"list"}).out == "");
}

TEST_CASE("a launch that does not answer is named") {
  const Scene scene;
  Process launch =
      scene.launch({"--nproc", "1", "--run-id", "r"}, helper({"print", "up", "pause"}));
  launch.until("up");
  const int supervisor = supervisor_pid(launch);
  kill(supervisor, SIGSTOP);
  const auto listed = ctl(scene, {"list"});
  kill(supervisor, SIGCONT);
  CHECK(listed.out == "");
  CHECK(contains(listed.err, "control does not answer"));
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("a run is found wherever its directory is: too long a path for a socket is passed over") {
  Scene scene;
  const std::string deep = scene.path("run/" + std::string(120, 'x'));
  std::filesystem::create_directories(deep);
  scene.env["XDG_RUNTIME_DIR"] = deep;
  const std::string id = "found-" + std::to_string(getpid());
  Process launch = scene.launch({"--nproc", "1", "--run-id", id}, helper({"print", "up", "pause"}));
  launch.until("up");
  Start start = ctl_start(scene, {"stop", "--run", id});
  start.argv.resize(start.argv.size() - 2);  // without --dir
  Process stop(start);
  CHECK(stop.wait() == Status{.code = 0});
  CHECK(launch.wait() == Status{.code = 143});
}

TEST_CASE("status shows the group and each rank, as a table and as JSON") {
  const Scene scene;
  Process launch = scene.launch({"--run-id", "r", "--nproc", "2"},
                                helper({"on-rank", "1", "[", "notify", "READY=1\nX_DDP_STEP=7", "]",
                                        "print", "up", "pause"}));
  launch.until("up");
  launch.until("up");
  const auto table = ctl(scene, {"status"});
  CHECK(table.status == Status{.code = 0});
  CAPTURE(table.out);
  CHECK(contains(table.out,
                 "run r (pid " + std::to_string(launch.pid()) + "): running, attempt 0, "));
  CHECK(contains(table.out, "0 restarts, 2 of 2 ranks up"));
  const auto rows = cells(table.out);
  REQUIRE(rows.size() >= 4);
  const auto json = json_lines(ctl(scene, {"status", "--json"}).out);
  REQUIRE(json.size() == 1);
  CHECK(field(json[0], "run_id") == "r");
  CHECK(field(json[0], "state") == "running");
  CHECK(field(json[0], "nproc") == "2");
  CHECK(contains(field(json[0], "ranks"), "\"rank\":1"));
  CHECK(contains(field(json[0], "ranks"), "\"state\":\"ready\""));
  CHECK(contains(field(json[0], "ranks"), "\"step\":7"));
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("restart starts a new attempt, whatever restarts are left") {
  const Scene scene;
  Process launch = scene.launch(kLogged + Words{"--nproc", "2", "--max-restarts", "0"},
                                helper({"print", "up {TORCHELASTIC_RESTART_COUNT}", "pause"}));
  launch.until("up 0");
  launch.until("up 0");
  CHECK(ctl(scene, {"restart"}).status == Status{.code = 0});
  launch.until("up 1");
  launch.until("up 1");
  CHECK(contains(ctl(scene, {"status"}).out, "attempt 1, 0 restarts"));
  CHECK(ctl(scene, {"restart"}).status == Status{.code = 0});
  launch.until("up 2");
  launch.until("up 2");
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK(contains(run.err, "ddp-launch: restart requested by ddpctl (pid "));
  CHECK(contains(run.err, "restarting the group"));
  CHECK(control_events(scene).size() == 3);
  CHECK(events_named(scene.path("logs/r/events.jsonl"), "failure").empty());
}

TEST_CASE("kill is in the failure report as ddpctl's") {
  const Scene scene;
  Process launch = scene.launch(kLogged + Words{"--nproc", "3"}, helper({"print", "up", "pause"}));
  for (int rank = 0; rank < 3; ++rank) launch.until("up");
  const auto refused = ctl(scene, {"kill", "7"});
  CHECK(refused.status == Status{.code = 1});
  CHECK(refused.err == "ddpctl: rank 7: expected a rank from 0 to 2\n");
  CHECK(ctl(scene, {"kill", "2"}).status == Status{.code = 0});
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 137});
  CHECK(contains(run.err, "): kill rank 2\n"));
  CHECK(contains(run.err, "rank 2 was killed by SIGKILL"));
  CHECK(contains(run.err, "; SIGKILL was sent by ddpctl (pid "));
  const auto events = control_events(scene);
  REQUIRE(events.size() == 1);
  CHECK(field(events[0], "rank") == "2");
  // The negative control: a kill by another is not ddpctl's.
  const Scene other;
  const auto killed = other.run({"--nproc", "1"}, helper({"kill", "{PID}", "KILL"}));
  CHECK(contains(killed.err, "not killed by ddp-launch"));
  CHECK_FALSE(contains(killed.err, "ddpctl"));
}

TEST_CASE("signal reaches the ranks that are named, or all") {
  const Scene scene;
  Process launch = scene.launch(
      kLogged + Words{"--nproc", "3"},
      helper({"on-signal", "USR1", "[", "print", "usr1 {RANK}", "]", "print", "up", "pause"}));
  for (int rank = 0; rank < 3; ++rank) launch.until("up");
  CHECK(ctl(scene, {"signal", "USR1", "1"}).status == Status{.code = 0});
  launch.until("usr1 1");
  CHECK(ctl(scene, {"signal", "SIGUSR1"}).status == Status{.code = 0});
  for (int rank = 0; rank < 3; ++rank) launch.until("usr1 ");
  CHECK(ctl(scene, {"signal", "TERM", "0"}).status == Status{.code = 0});
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK(contains(run.err, "): signal SIGUSR1 rank 1\n"));
  CHECK(contains(run.err, "): signal SIGUSR1\n"));
  CHECK(contains(run.err, "SIGTERM was sent by ddpctl"));
  int twice = 0;
  for (const auto& line : lines_of(run.out)) twice += line == "[1] usr1 1";
  CHECK(twice == 2);
}

TEST_CASE("logs shows the last lines, from the launch or from its files, and follows") {
  const Scene scene;
  Words flags{"--run-id", "r", "--nproc", "2"};
  bool files = false;
  SUBCASE("from the launch") {}
  SUBCASE("from its files") {
    flags = flags + Words{"--log-dir", "logs", "--tee", "3"};
    files = true;
  }
  Process launch = scene.launch(
      flags, helper({"print", "one", "print", "two", "print", "three", "on-signal", "USR1", "[",
                     "print", "more {RANK}", "]", "print", "up", "pause"}));
  launch.until("up");
  launch.until("up");
  const auto all = ctl(scene, {"logs", "-n", "2"});
  CHECK(all.status == Status{.code = 0});
  CHECK(all.out == "[0] three\n[0] up\n[1] three\n[1] up\n");
  CHECK(ctl(scene, {"logs", "--rank", "1"}).out == "one\ntwo\nthree\nup\n");
  CHECK(ctl(scene, {"logs", "--rank", "2"}).status.code == 1);
  Process follow(ctl_start(scene, {"logs", "-f", "-n", "1"}));
  follow.until("[0] up");
  follow.until("[1] up");
  CHECK(ctl(scene, {"signal", "USR1", "1"}).status == Status{.code = 0});
  follow.until("[1] more 1");
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(launch.wait() == Status{.code = 143});
  CHECK(follow.wait() == Status{.code = 0});
  CHECK(files == std::filesystem::exists(scene.path("logs/r/attempt_0/0/stdout.log")));
}

TEST_CASE("stacks are taken while the ranks run on") {
  const Scene scene;
  Process launch = scene.launch(
      kLogged + Words{"--nproc", "2"},
      helper({"on-signal", "USR1", "[", "print", "lives", "]", "print", "up", "pause"}));
  launch.until("up");
  launch.until("up");
  const auto stacks = ctl(scene, {"stacks"});
  CAPTURE(stacks.out);
  CHECK(contains(stacks.out, "rank 0 (pid "));
  CHECK(contains(stacks.out, "rank 1 (pid "));
  if (stacks.status.code == 0) {
    CHECK(contains(stacks.out, "#0 "));
  } else {
    MESSAGE("no debugger may attach here: " << stacks.out);
  }
  CHECK(ctl(scene, {"signal", "USR1"}).status == Status{.code = 0});
  launch.until("lives");
  launch.until("lives");
  CHECK(contains(ctl(scene, {"status"}).out, "running"));
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(finish(scene, launch).status == Status{.code = 143});
  CHECK(field(control_events(scene).at(0), "command") == "stacks");
}

TEST_CASE("a debugger that does not return is ended with the group") {
  Scene scene;
  std::filesystem::create_directories(scene.path("bin"));
  write_script(scene.path("bin/gdb"), "#!/bin/sh\necho attached\nexec sleep 1000\n");
  scene.env["PATH"] = scene.path("bin") + ":" + scene.env["PATH"];
  Process launch = scene.launch(kLogged + Words{"--nproc", "1"}, helper({"print", "up", "pause"}));
  launch.until("up");
  Process stacks(ctl_start(scene, {"stacks"}));
  launch.until_err("): stacks");
  const auto second = ctl(scene, {"stacks"});
  CHECK(second.status == Status{.code = 1});
  CHECK(contains(second.err, "another client is being sent the stacks"));
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(stacks.wait() == Status{.code = 1});
  CHECK(contains(stacks.out(), "rank 0"));
  CHECK(contains(stacks.out(), "the group was stopped meanwhile"));
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("inject puts a fault into the running group, as if it had been planned") {
  const Scene scene;
  Process launch =
      scene.launch(kLogged + Words{"--nproc", "2", "--max-restarts", "1"} + kRestartAtOnce,
                   helper({"print", "up {TORCHELASTIC_RESTART_COUNT}", "pause"}));
  launch.until("up 0");
  launch.until("up 0");
  const auto worker = ctl(scene, {"inject", "exit=3@rank=1,step=1"});
  CHECK(worker.status == Status{.code = 1});
  CHECK(contains(worker.err, "expected a fault that the launcher injects into a running rank"));
  CHECK(contains(ctl(scene, {"inject", "frob"}).err, "column 1"));
  const auto later = ctl(scene, {"inject", "kill@rank=0,step=1000"});
  CHECK(later.status == Status{.code = 0});
  CHECK(contains(later.out, "the fault is planned; its moment has not come"));
  CHECK(ctl(scene, {"inject", "kill@rank=1"}).status == Status{.code = 0});
  launch.until("up 1");
  launch.until("up 1");
  CHECK(ctl(scene, {"inject", "stop@rank=0,for=1h"}).status == Status{.code = 0});
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK(contains(run.err, "rank 1 was killed by SIGKILL"));
  CHECK(contains(run.err, "; injected: kill@rank=1"));
  const auto failures = events_named(scene.path("logs/r/events.jsonl"), "failure");
  REQUIRE(failures.size() == 1);
  CHECK(field(failures[0], "injected") == "true");
  CHECK(events_named(scene.path("logs/r/events.jsonl"), "fault_injected").size() == 2);
  CHECK(field(control_events(scene).at(0), "detail") == "kill@rank=0,step=1000");
}

TEST_CASE("arguments that are wrong are one line and exit code 2") {
  const Scene scene;
  const std::pair<Words, const char*> wrong[] = {
      {{}, "no command: expected list"},
      {{"lst"}, "command 'lst': expected list"},
      {{"stop", "3"}, "stop takes no '3'"},
      {{"list", "--run", "r"}, "list takes no --run"},
      {{"stop", "--run"}, "needs a value"},
      {{"stop", "--run="}, "--run needs a value"},
      {{"stop", "--run", "a", "--run", "b"}, "--run is given twice"},
      {{"--frob"}, "unknown option '--frob'"},
      {{"--version=3"}, "--version: expected no value"},
  };
  for (const auto& [words, why] : wrong) {
    Start start = ctl_start(scene, words);
    start.argv.resize(start.argv.size() - 2);
    Process process(start);
    CHECK(process.wait() == Status{.code = 2});
    CAPTURE(process.err());
    CHECK(contains(process.err(), std::string("ddpctl: ")));
    CHECK(contains(process.err(), why));
    CHECK(lines_of(process.err()).size() == 1);
  }
  CHECK(ctl(scene, {"--version"}).out == "ddpctl " DDP_VERSION "\n");
  CHECK(contains(ctl(scene, {"--help"}).out, "Usage: ddpctl COMMAND"));
}

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
  // Both processes of the launcher die: the directory stays.
  kill(supervisor_pid(launch), SIGSTOP);
  kill(launch.pid(), SIGKILL);
  for (const auto& process : launch.below()) kill(process.pid, SIGKILL);
  launch.wait_nothing_left();
  REQUIRE(std::filesystem::exists(socket));
  const auto listed = ctl(scene, {"list"});
  CHECK(listed.out + listed.err == "");
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 1});
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

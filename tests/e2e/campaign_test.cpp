// Many plans, one after another: the command line, the table, the exit code, the JUnit file; and
// no process or file of a campaign is left, however it ends.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"
#include "tests/support/screen.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

using namespace ddp::test;

namespace {

// A TOML array of strings.
std::string words_text(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "'" : ", '") + word + "'";
  return "[" + text + "]";
}

// A plan whose command is the helper with these steps.
void plan(const Scene& scene, const std::string& name, const std::string& head, const Words& steps,
          const std::string& launch = "") {
  std::filesystem::create_directories(scene.path("plans"));
  write_file(scene.path("plans/" + name + ".toml"),
             head + "\n[launch]\ncommand = " + words_text(helper(steps)) + "\n" + launch + "\n");
}

Words campaign(const Words& more = {}) { return Words{"--campaign", "plans"} + more; }

void wait_for_file(const std::string& path) {
  const Deadline deadline;
  while (!std::filesystem::exists(path)) {
    if (deadline.passed()) throw Timeout(path + " does not come");
    sched_yield();
  }
}

// This plan's line of the summary, which follows an empty line.
std::string row_of(const std::string& out, const std::string& name) {
  for (const auto& line : lines_of(out.substr(out.find("\n\n") + 2))) {
    if (contains(line, " " + name + " ")) return line;
  }
  return "no row for " + name;
}

int campaign_pid(const Process& launch) {
  for (const auto& process : descendants(launch.pid())) {
    if (process.name == "ddp-campaign") return process.pid;
  }
  throw std::runtime_error("no campaign:" + describe(descendants(launch.pid())));
}

}  // namespace

TEST_CASE("plans run in order of their names; exit code 0 if all are met") {
  const Scene scene;
  const Words steps{"append", scene.path("order"), "{DDP_RUN_ID} {RANK}"};
  plan(scene, "b-second", "name = 'the second'", steps + Words{"exit", "4"},
       "options = ['--nproc', '1']\n[expect]\nexit = 4");
  plan(scene, "a-first", "", steps);
  plan(scene, "c-third", "", steps, "options = ['--nproc=1']");
  write_file(scene.path("plans/notes.txt"), "no plan");
  const auto run = scene.run(campaign({"--nproc", "2"}), {});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  const auto order = lines_of(read_file(scene.path("order")));
  REQUIRE(order.size() == 4);
  CHECK(order[0].starts_with("a-first "));
  CHECK(order[1].starts_with("a-first "));
  CHECK(order[2] == "b-second 0");
  CHECK(order[3] == "c-third 0");
  const auto lines = lines_of(run.out);
  REQUIRE(lines.size() > 3);
  CHECK(lines[0].starts_with("1/3  met      a-first  "));
  CHECK(lines[1].starts_with("2/3  met      the second  "));
  CHECK(row_of(run.out, "the second").starts_with("met "));
  CHECK(lines.back() == "3 plans: 3 met");
}

TEST_CASE("an unmet plan exits 73, shows its last lines and fails in the JUnit file") {
  const Scene scene;
  plan(scene, "good", "", {"print", "all is well"});
  plan(scene, "wrong", "[expect]\nroot_cause = { by = 'SIGKILL' }",
       {"print", "last words", "exit", "3"});
  plan(scene, "without-expectations", "", {"exit", "5"});
  const auto run = scene.run(campaign({"--junit", scene.path("result.xml")}), {});
  CHECK(run.status == Status{.code = 73});
  CHECK(contains(run.out, "    | [0] last words\n"));
  CHECK_FALSE(contains(run.out, "all is well"));
  CHECK(contains(row_of(run.out, "wrong"),
                 "exit: expected 0, measured 3; root_cause: expected any rank by SIGKILL, "
                 "measured rank 0 by exit 3"));
  CHECK(contains(row_of(run.out, "without-expectations"), "exit: expected 0, measured 5"));
  CHECK(lines_of(run.out).back() == "3 plans: 1 met, 2 NOT MET");
  const auto xml = read_file(scene.path("result.xml"));
  CHECK(contains(xml, R"(<testsuite name="good" tests="2" failures="0")"));
  CHECK(contains(xml, R"(<testsuite name="wrong" tests="3" failures="2")"));
  CHECK(contains(
      xml, R"(<failure message="expected any rank by SIGKILL, measured rank 0 by exit 3"/>)"));
  CHECK(contains(xml, "last words"));
  CHECK_FALSE(contains(xml, "all is well"));
}

TEST_CASE("plans without a command use the campaign's; {dir} is the plan's directory") {
  const Scene scene;
  std::filesystem::create_directories(scene.path("plans"));
  write_file(scene.path("plans/one.toml"), "");
  const auto run = scene.run(campaign({"--log-dir", scene.path("logs"), "--run-id", "nightly"}),
                             helper({"print", "said", "touch", "{dir}/made"}));
  CHECK(run.status == Status{.code = 0});
  // Everything is kept: the run's files, its console output, and what the program wrote.
  const std::string kept = scene.path("logs/nightly/one/");
  CHECK(std::filesystem::exists(kept + "work/made"));
  CHECK(std::filesystem::exists(kept + "events.jsonl"));
  CHECK(read_file(kept + "output.log") == "[0] said\n");
  CHECK(contains(run.out, "kept in " + scene.path("logs/nightly")));
  const auto again = scene.run(campaign({"--log-dir", scene.path("logs"), "--run-id", "nightly"}),
                               helper({"exit", "0"}));
  CHECK(again.status == Status{.code = 2});
  CHECK(contains(again.err, "logs/nightly"));
}

TEST_CASE("a program may remove and recreate its directory") {
  const Scene scene;
  std::filesystem::create_directories(scene.path("plans"));
  write_file(scene.path("plans/a.toml"), "fault = ['kill@line=up,rank=1']\n[expect]\nrestarts = 1");
  const auto run = scene.run(campaign({"--nproc", "2", "--max-restarts", "1", "--backoff", "0",
                                       "--log-dir", "logs", "--run-id", "r"}),
                             {"sh", "-c",
                              "rm -rf {dir}; mkdir -p {dir}; echo up; if [ "
                              "$TORCHELASTIC_RESTART_COUNT = 0 ]; then sleep 1000; fi"});
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(read_file(scene.path("logs/r/a/output.log")), "[1] up\n"));
  CHECK(events_named(scene.path("logs/r/a/events.jsonl"), "fault_injected").size() == 1);
}

TEST_CASE("a plan that exceeds its timeout is stopped and not met; the next runs") {
  const Scene scene;
  plan(scene, "a-hangs", "", {"print", "up", "pause"}, "timeout = '1s'");
  plan(scene, "b-hears-nothing", "",
       {"ignore", "TERM", "fork", "[", "setsid", "ignore", "TERM", "pause", "]", "pause"},
       "timeout = '1s'\noptions = ['--shutdown-timeout', '100ms']");
  plan(scene, "c-good", "", {"exit", "0"});
  const auto run = scene.run(campaign(), {});
  CHECK(run.status == Status{.code = 73});
  for (const char* name : {"a-hangs", "b-hears-nothing"})
    CHECK(contains(row_of(run.out, name), "timeout: expected exits within 1 s"));
  CHECK(row_of(run.out, "c-good").starts_with("met "));
  CHECK(contains(run.out, "use --log-dir DIR to keep"));
}

TEST_CASE("the shown lines of a run name no removed directory") {
  const Scene scene;
  plan(scene, "a", "", {"print", "in {DDP_RUN_DIR}/x", "print", "at {dir}/y", "exit", "1"});
  const auto gone = scene.run(campaign({"--nproc", "1"}), {});
  CHECK(gone.status == Status{.code = 73});
  CHECK(contains(gone.out, "| [0] in <directory>/a/x\n"));
  CHECK(contains(gone.out, "| [0] at {dir}/y\n"));
  CHECK_FALSE(contains(gone.out, scene.path("tmp")));
  const auto kept = scene.run(campaign({"--nproc", "1", "--log-dir", scene.path("logs")}), {});
  CHECK(contains(kept.out, "[0] in " + scene.path("logs")));
}

TEST_CASE("an error in any plan is reported before the first plan runs") {
  const Scene scene;
  plan(scene, "a-good", "", {"touch", scene.path("ran")});
  plan(scene, "b-fault", "fault = ['kill@stp=5']", {"exit", "0"});
  plan(scene, "c-rank", "fault = ['kill@step=5,rank=2']", {"exit", "0"}, "options = ['--nproc=2']");
  plan(scene, "d-option", "", {"exit", "0"}, "options = ['--nporc=2']");
  plan(scene, "e-owned", "", {"exit", "0"}, "options = ['--log-dir=x']");
  const auto run = scene.run(campaign(), {});
  CHECK(run.status == Status{.code = 2});
  const auto lines = lines_of(run.err);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("ddp-launch: plans/b-fault.toml:1:10: 'kill@stp=5': column 6"));
  CHECK(lines[1].starts_with("ddp-launch: plans/c-rank.toml:1:10: "));
  CHECK(lines[2].starts_with("ddp-launch: plans/d-option.toml: [launch] options: unknown option"));
  CHECK(lines[3].starts_with("ddp-launch: plans/e-owned.toml: [launch] options: --log-dir"));
  CHECK_FALSE(std::filesystem::exists(scene.path("ran")));
}

TEST_CASE("a signal stops the campaign and its run; finished plans are reported") {
  const Scene scene;
  plan(scene, "a-done", "", {"exit", "0"});
  plan(scene, "b-runs", "",
       {"on-signal",
        "TERM",
        "[",
        "append",
        scene.path("signalled"),
        "x",
        "exit",
        "0",
        "]",
        "on-signal",
        "INT",
        "[",
        "append",
        scene.path("signalled"),
        "x",
        "exit",
        "0",
        "]",
        "touch",
        scene.path("up"),
        "pause"});
  plan(scene, "c-never", "", {"touch", scene.path("never")});
  for (const int signal : {SIGINT, SIGTERM}) {
    CAPTURE(signal);
    std::filesystem::remove(scene.path("up"));
    std::filesystem::remove(scene.path("signalled"));
    Process launch = scene.launch(campaign({"--junit", scene.path("result.xml")}), {});
    wait_for_file(scene.path("up"));
    launch.send_signal(signal);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 128 + signal});
    CHECK(read_file(scene.path("signalled")) == "x\n");
    CHECK(lines_of(run.out).back() == "3 plans: 1 met, 1 stopped, 1 not run");
    const auto xml = read_file(scene.path("result.xml"));
    CHECK(contains(xml, R"(<testsuite name="a-done")"));
    CHECK(contains(xml, "the campaign was stopped"));
    CHECK_FALSE(contains(xml, "c-never"));
  }
  CHECK_FALSE(std::filesystem::exists(scene.path("never")));
}

TEST_CASE("a second signal skips the run's grace period") {
  const Scene scene;
  plan(scene, "stubborn", "",
       {"on-signal", "INT", "[", "touch", scene.path("signalled"), "]", "touch", scene.path("up"),
        "pause"},
       "options = ['--shutdown-timeout=10000']");
  Process launch = scene.launch(campaign(), {});
  wait_for_file(scene.path("up"));
  launch.send_signal(SIGINT);
  wait_for_file(scene.path("signalled"));
  launch.send_signal(SIGTERM);  // another SIGINT within a second would be the same request
  CHECK(finish(scene, launch).status == Status{.code = 130});
}

TEST_CASE("SIGKILL to either process of a campaign leaves no process") {
  const Scene scene;
  plan(scene, "runs", "",
       {"fork", "[", "setsid", "ignore", "TERM", "pause", "]", "touch", scene.path("up"), "pause"},
       "options = ['--shutdown-timeout=200ms']");
  SUBCASE("the one the user sees") {
    Process launch = scene.launch(campaign(), {});
    wait_for_file(scene.path("up"));
    launch.send_signal(SIGKILL);
    CHECK(launch.wait() == Status{.signal = SIGKILL});
    launch.wait_nothing_left();
    scene.check_no_file_left();
  }
  SUBCASE("the whole job") {
    auto start = scene.start(campaign(), {});
    start.new_group = true;
    Process launch(std::move(start));
    wait_for_file(scene.path("up"));
    kill(-launch.pid(), SIGKILL);
    CHECK(launch.wait_exit() == Status{.signal = SIGKILL});
    launch.wait_nothing_left();
    scene.check_no_file_left();
  }
  SUBCASE("the one that runs the plans") {
    Process launch = scene.launch(campaign(), {});
    wait_for_file(scene.path("up"));
    kill(campaign_pid(launch), SIGKILL);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 70});
  }
}

TEST_CASE("Ctrl-Z stops the campaign and its run, and fg resumes them") {
  const Scene scene;
  plan(scene, "waits", "", {"touch", scene.path("up"), "wait-file", scene.path("go")});
  auto start = scene.start(campaign(), {});
  start.new_group = true;
  Process launch(std::move(start));
  wait_for_file(scene.path("up"));
  launch.send_signal(SIGTSTP);
  launch.wait_stopped();
  const Deadline deadline;
  for (const auto& process : launch.below()) {
    while (status_field(process.pid, "State") != "T (stopped)" && !deadline.passed()) sched_yield();
    CHECK(status_field(process.pid, "State") == "T (stopped)");
  }
  write_file(scene.path("go"), "");
  launch.send_signal(SIGCONT);
  CHECK(finish(scene, launch).status == Status{.code = 0});
}

TEST_CASE("a table that cannot be written fails the campaign, which still runs all plans") {
  const Scene scene;
  plan(scene, "a", "", {"append", scene.path("order"), "a"});
  plan(scene, "b", "", {"append", scene.path("order"), "b"});
  Process launch(redirected(scene.start(campaign({"--nproc", "1", "--junit", "result.xml"}), {}),
                            ">/dev/full"));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 71});
  CHECK(run.err ==
        "ddp-launch: error: stdout: cannot be written (No space left on device); the campaign "
        "continues, but its table is no longer shown there\n");
  CHECK(read_file(scene.path("order")) == "a\nb\n");
  CHECK(contains(read_file(scene.path("result.xml")), "failures=\"0\""));
}

TEST_CASE("a table that is not read fails the campaign with a message") {
  const Scene scene;
  plan(scene, "a", "", {"exit", "0"});
  const auto path = scene.path("pipe");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const int pipe = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(pipe >= 0);
  const std::string page(4096, '.');
  while (write(pipe, page.data(), page.size()) > 0) {
  }
  Process launch(redirected(scene.start(campaign({"--nproc", "1"}), {}), ">pipe"));
  const auto run = finish(scene, launch);
  close(pipe);
  CHECK(run.status == Status{.code = 71});
  CHECK(run.err ==
        "ddp-launch: error: stdout: not read any more; the rest of the campaign's table is "
        "dropped\n");
}

TEST_CASE("a full disk is reported by path and the result is kept") {
  const Words flags{"--nproc", "1", "--junit", "result.xml"};
  const auto check = [](const Finished& run, const Scene& scene, const std::string& why) {
    CHECK(run.status == Status{.code = 71});
    const auto row = row_of(run.out, "a");
    CHECK_MESSAGE(contains(row, "kept: expected the run's output and events, measured "), row);
    CHECK(contains(row, "(" + why + ")"));
    CHECK_FALSE(contains(row, "not measured"));
    CHECK_FALSE(contains(run.out, "everything is kept"));
    CHECK(contains(read_file(scene.path("result.xml")), R"(name="restarts"/>)"));
  };
  const std::string expect = "[expect]\nrestarts = 0";
  SUBCASE("a limit on the size of files") {
    const Scene scene;
    plan(scene, "a", expect, {"write-lines", "5000"});
    auto start = scene.start(campaign(flags + Words{"--log-dir", "logs", "--run-id", "r"}), {});
    start.argv = Words{"prlimit", "--fsize=32768"} + start.argv;
    Process launch(std::move(start));
    const auto run = finish(scene, launch);
    check(run, scene, "File too large");
    CHECK(contains(run.out, "what could be kept is in " + scene.path("logs/r")));
  }
  SUBCASE("a file system of 16 KiB") {
    const Scene scene;
    plan(scene, "a", expect, {"write-lines", "5000"});
    plan(scene, "b", "[expect]", {"exit", "0"});
    if (mount("tmpfs", scene.path("tmp").c_str(), "tmpfs", 0, "size=16k") != 0) {
      MESSAGE("no file system can be mounted here: only the limit was tried");
      return;
    }
    const auto run = scene.run(campaign(flags), {});
    umount2(scene.path("tmp").c_str(), MNT_DETACH);
    check(run, scene, "No space left on device");
    CHECK(row_of(run.out, "b").starts_with("met "));
  }
}

TEST_CASE("a plan that changed since the start is not run; the next one is") {
  const Scene scene;
  plan(scene, "a", "", {"touch", scene.path("up"), "wait-file", scene.path("go")});
  for (const char* name : {"b", "c", "d"}) plan(scene, name, "", {"touch", scene.path(name)});
  Process launch = scene.launch(campaign({"--nproc", "1"}), {});
  wait_for_file(scene.path("up"));
  plan(scene, "b", "# another", {"touch", scene.path("b")});
  std::filesystem::remove(scene.path("plans/c.toml"));
  write_file(scene.path("go"), "");
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 73});
  CHECK(contains(row_of(run.out, "b"), "plans/b.toml changed after the campaign read it"));
  CHECK(contains(row_of(run.out, "c"), "plans/c.toml: No such file or directory"));
  CHECK_FALSE(std::filesystem::exists(scene.path("b")));
  CHECK(std::filesystem::exists(scene.path("d")));
}

TEST_CASE("flags that conflict with --campaign are rejected in one line") {
  const Scene scene;
  plan(scene, "good", "", {"touch", scene.path("ran")});
  std::filesystem::create_directory(scene.path("empty"));
  const auto refused = [&](const Words& flags) {
    const auto run = scene.run(flags, {});
    CHECK(run.status == Status{.code = 2});
    CHECK(lines_of(run.err).size() == 1);
    return run.err;
  };
  CHECK(contains(refused(campaign({"--inject", "kill"})), "--inject cannot be used with"));
  CHECK(contains(refused(campaign({"--stdin", "0"})), "--stdin cannot be used with --campaign"));
  CHECK(contains(refused(campaign({"--run-id", "a/b"})), "--run-id is 'a/b': expected"));
  CHECK(contains(refused(campaign({"--junit", "no/dir.xml"})), "--junit is 'no/dir.xml'"));
  CHECK(contains(refused({"--campaign", "nowhere"}),
                 "--campaign: nowhere: No such file or directory"));
  CHECK(contains(refused({"--campaign", "empty"}), "--campaign: empty: contains no plan"));
  CHECK(contains(refused({"--campaign", ""}), "--campaign is '': expected"));
  CHECK_FALSE(std::filesystem::exists(scene.path("ran")));
}

TEST_CASE("--dry-run shows each run's command line and starts nothing") {
  const Scene scene;
  plan(scene, "good", "", {"touch", scene.path("ran")}, "options = ['--nproc=3']");
  const auto run = scene.run(campaign({"--dry-run", "--max-restarts", "2"}), {});
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.out, "ddp-launch --nproc=3 --max-restarts=2 --faults=plans/good.toml"));
  CHECK_FALSE(std::filesystem::exists(scene.path("ran")));
}

namespace {

Start on_terminal(const Scene& scene, const Words& flags) {
  auto start = scene.start(campaign(flags), {});
  start.stdio = Stdio::terminal;
  start.env["TERM"] = "xterm";
  return start;
}

Words screen(const std::string& shown) {
  Screen screen(200);
  screen.write(shown);
  return screen.lines();
}

}  // namespace

TEST_CASE("a terminal shows which plan runs, below the lines of those that have ended") {
  const Scene scene;
  plan(scene, "a", "", {"exit", "0"});
  plan(scene, "b", "", {"wait-file", scene.path("go")});
  Process launch(on_terminal(scene, {"--nproc", "1"}));
  launch.until_shown("plan 2 of 2: b  0:00  1 met  about 0:00 left");
  launch.until_shown("plan 2 of 2: b  0:01");
  const auto shown = screen(launch.out());
  REQUIRE(shown.size() == 2);
  CHECK(shown[0].starts_with("1/2  met      a  "));
  CHECK(shown[1].starts_with("plan 2 of 2: b  0:01"));
  std::ofstream(scene.path("go"));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  const auto left = screen(run.out);
  CHECK(left[1].starts_with("2/2  met      b  "));
  CHECK(left.back() == "2 plans: 2 met");
  for (const auto& line : left) CHECK_FALSE(line.starts_with("plan "));
}

TEST_CASE("no line is drawn over on a dumb terminal, with --no-status, or in a pipe") {
  for (const int kind : {0, 1, 2}) {
    const Scene scene;
    plan(scene, "a", "", {"exit", "0"});
    auto start = on_terminal(scene, kind == 1 ? Words{"--no-status"} : Words{});
    if (kind == 0) start.env["TERM"] = "dumb";
    if (kind == 2) start.stdio = Stdio::pipes;
    Process launch(start);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 0});
    CHECK_FALSE(contains(run.out, "plan 1 of"));
    CHECK_FALSE(contains(run.out, "\x1b"));
  }
}

// The last line of a run on stdout, for programs: --summary json.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <signal.h>

using namespace ddp::test;

namespace {

const Words kJson{"--summary", "json", "--run-id", "r"};

// The last line of stdout; throws if it is no JSON object.
JsonLine summary_of(const std::string& out) { return json_lines(lines_of(out).back() + "\n")[0]; }

}  // namespace

TEST_CASE("the last line of stdout is the result") {
  const Scene scene;
  const auto run = scene.run(kJson + Words{"--nproc", "2"}, helper({"print", "hello"}));
  CHECK(run.status == Status{.code = 0});
  const auto lines = lines_of(run.out);
  REQUIRE(lines.size() == 3);  // one of each rank before it
  const auto summary = summary_of(run.out);
  CHECK(field(summary, "v") == "1");
  CHECK(field(summary, "run_id") == "r");
  CHECK(field(summary, "exit_code") == "0");
  CHECK(field(summary, "restarts") == "0");
  CHECK(field(summary, "failures") == "[]");
  CHECK(summary.count("cause") == 0);
  CHECK(std::stoll(field(summary, "duration_ns")) > 0);
}

TEST_CASE("without the flag, and with text, stdout is that of the workers alone") {
  const Scene scene;
  CHECK(scene.run({"--nproc", "1"}, helper({"print", "hello"})).out == "[0] hello\n");
  CHECK(scene.run({"--nproc", "1", "--summary", "text"}, helper({"print", "hello"})).out ==
        "[0] hello\n");
}

TEST_CASE("it has each failure, and the cause of the end") {
  const Scene scene;
  const auto run = scene.run(kJson + kRestartAtOnce + Words{"--nproc", "2", "--max-restarts", "1"},
                             helper({"on-rank", "1", "[", "exit", "7", "]", "pause"}));
  CHECK(run.status == Status{.code = 7});
  const auto summary = summary_of(run.out);
  CHECK(field(summary, "exit_code") == "7");
  CHECK(field(summary, "restarts") == "1");
  CHECK(field(summary, "cause") == "exit 7");
  const auto failures = field(summary, "failures");
  CHECK(contains(failures, R"("gen":0,"cause":"exit 7","injected":false,"rank":1)"));
  CHECK(contains(failures, R"("gen":1,"cause":"exit 7","injected":false,"rank":1)"));
}

TEST_CASE("a stop request is a cause and no failure") {
  const Scene scene;
  Process launch = scene.launch(kJson + Words{"--nproc", "1"}, helper({"print", "up", "pause"}));
  launch.until("up");
  kill(launch.pid(), SIGTERM);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  const auto summary = summary_of(run.out);
  CHECK(field(summary, "cause") == "SIGTERM");
  CHECK(field(summary, "failures") == "[]");
}

TEST_CASE("a killed supervisor leaves a last line, too") {
  const Scene scene;
  Process launch = scene.launch(kJson + Words{"--nproc", "1"}, helper({"print", "up", "pause"}));
  launch.until("up");
  kill(supervisor_pid(launch), SIGKILL);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 70});
  const auto summary = summary_of(run.out);
  CHECK(field(summary, "exit_code") == "70");
  CHECK(field(summary, "cause") == "supervisor lost");
}

TEST_CASE("expectations are in it with what was measured") {
  const Scene scene;
  write_file(scene.path("plan.toml"), "[expect]\nexit = 3\n");
  const auto run = scene.run(kJson + Words{"--nproc", "1", "--faults", scene.path("plan.toml")},
                             helper({"exit", "4"}));
  CHECK(run.status == Status{.code = 73});
  const auto summary = summary_of(run.out);
  CHECK(field(summary, "exit_code") == "73");
  CHECK(contains(field(summary, "expectations"),
                 R"("name":"exit","expected":"3","measured":"4","met":false)"));
}

TEST_CASE("a campaign has one line for all of its runs") {
  const Scene scene;
  std::filesystem::create_directories(scene.path("plans"));
  write_file(scene.path("plans/a.toml"), "");
  write_file(scene.path("plans/b.toml"), "[expect]\nexit = 3\n");
  const auto run =
      scene.run(kJson + Words{"--nproc", "1", "--campaign", "plans"}, helper({"exit", "0"}));
  CHECK(run.status == Status{.code = 73});
  const auto summary = summary_of(run.out);
  CHECK(field(summary, "run_id") == "r");
  CHECK(field(summary, "exit_code") == "73");
  CHECK(field(summary, "plans") == "2");
  CHECK(contains(field(summary, "runs"), R"("name":"a","outcome":"met")"));
  CHECK(contains(field(summary, "runs"), R"("name":"b","outcome":"not met")"));
}

TEST_CASE("another value is refused") {
  const Scene scene;
  const auto run = scene.run({"--summary", "yaml"}, {"true"});
  CHECK(run.status == Status{.code = 2});
  CHECK(run.err == "ddp-launch: --summary is 'yaml': expected text or json\n");
}

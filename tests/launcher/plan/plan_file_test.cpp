#include "launcher/plan/plan_file.hpp"
#include "launcher/plan/replay.hpp"
#include "launcher/report/junit.hpp"

#include <doctest/doctest.h>

#include <filesystem>

namespace {

using namespace ddp;
using std::chrono::milliseconds;
using std::chrono::seconds;

core::FaultPlan plan(std::string_view text) {
  const auto parsed = parse_fault_plan(text, "plans/kill one.toml", 4);
  REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error()));
  return *parsed;
}

std::string refusal(std::string_view text) {
  const auto parsed = parse_fault_plan(text, "p.toml", 4);
  return parsed ? "accepted" : parsed.error();
}

bool starts(const std::string& text, std::string_view with) { return text.starts_with(with); }

}  // namespace

TEST_CASE("a plan is read whole") {
  const auto p = plan(R"(
name = "one rank dies"
seed = 7
[[fault]]
spec = "kill@step=50,rank=2"
[[fault]]
fault = "slow"
value = 0.25
rank = [1, 3]
step = 10
for = "2s"
[[fault]]
fault = "delay"
value = "5ms"
every = "10steps"
rank = "all"

[expect]
exit = 9
restarts = 1
restarts_at_most = 2
detected_within = "100ms"
torn_down_within = 1.5
recovered_within = "10s"
lost_steps_at_most = 10
root_cause = { rank = 2, by = "SIGKILL" }
no_process_left = true
checkpoint_digest = "abc"

[launch]
options = ["--nproc", "4"]
command = ["./worker", "--out", "{dir}"]
timeout = "90s"
)");
  CHECK(p.name == "one rank dies");
  CHECK(p.seed == 7);
  REQUIRE(p.faults.size() == 3);
  CHECK(fault::format(p.faults[0]) == "kill@rank=2,step=50");
  CHECK(fault::format(p.faults[1]) == "slow=0.25@rank=1,3,step=10,for=2s");
  CHECK(fault::format(p.faults[2]) == "delay=5ms@rank=all,every=10steps");
  REQUIRE(p.expect);
  CHECK(p.expect->exit == 9);
  CHECK(p.expect->restarts == 1);
  CHECK(p.expect->restarts_at_most == 2);
  CHECK(p.expect->detected_within == milliseconds(100));
  CHECK(p.expect->torn_down_within == milliseconds(1500));
  CHECK(p.expect->recovered_within == seconds(10));
  CHECK(p.expect->lost_steps_at_most == 10);
  REQUIRE(p.expect->root_causes.size() == 1);
  CHECK(p.expect->root_causes[0].rank == 2);
  CHECK(p.expect->root_causes[0].by == "SIGKILL");
  CHECK(p.expect->no_process_left);
  CHECK(p.expect->checkpoint_digest == "abc");
  CHECK(p.launch.options == std::vector<std::string>{"--nproc", "4"});
  CHECK(p.launch.command.size() == 3);
  CHECK(p.launch.timeout == seconds(90));
}

TEST_CASE("a key with a new name is still read by its old one") {
  CHECK(plan("[expect]\n").expect->all_faults_triggered);
  CHECK_FALSE(plan("[expect]\nall_faults_triggered = false").expect->all_faults_triggered);
  CHECK_FALSE(plan("[expect]\nevery_fault_strikes = false").expect->all_faults_triggered);
}

TEST_CASE("a root cause names any signal") {
  for (const char* name : {"SIGKILL", "SIGSEGV", "SIGRTMIN+1"}) {
    CAPTURE(name);
    const auto p = plan("[expect]\nroot_cause = {by = \"" + std::string(name) + "\"}");
    CHECK(p.expect->root_causes.at(0).by == name);
  }
  CHECK(
      starts(refusal("[expect]\nroot_cause = {by = \"SIGNONE\"}"), "p.toml:2:20: 'by': expected"));
}

TEST_CASE("faults may be one array of specs and tables") {
  const auto p = plan(R"(fault = ["kill@step=5", { fault = "exit", value = 3, step = 7 }])");
  REQUIRE(p.faults.size() == 2);
  CHECK(fault::format(p.faults[1]) == "exit=3@rank=any,step=7");
  CHECK(p.name == "kill one");
  CHECK_FALSE(p.expect);
  CHECK(plan("").faults.empty());
}

TEST_CASE("an error in a plan has file, line and column") {
  CHECK(starts(refusal("fault = [\"kill@stp=5\"]"),
               "p.toml:1:10: 'kill@stp=5': column 6: 'stp': expected rank, step,"));
  CHECK(starts(refusal("[[fault]]\nfault = \"kill\"\nrnk = 2\n"),
               "p.toml:3:7: 'rnk': expected rank, step,"));
  CHECK(starts(refusal("[[fault]]\nfault = \"kill\"\nrank = 9\n"),
               "p.toml:3:8: '9': expected ranks from 0 to 3"));
  CHECK(starts(refusal("[[fault]]\nfault = \"exit\"\nvalue = 300\n"),
               "p.toml:3:9: '300': expected an exit code"));
  CHECK(starts(refusal("[[fault]]\nstep = 3\n"), "p.toml:1:1: a fault needs its name"));
  CHECK(starts(refusal("[[fault]]\nspec = 3\n"), "p.toml:2:8: expected a spec"));
  CHECK(starts(refusal("[[fault]]\nspec = \"kill\"\nrank = 1\n"), "p.toml:3:8: 'rank': a fault"));
  CHECK(starts(refusal("fault = 3"), "p.toml:1:9: 'fault': expected [[fault]] tables"));
  CHECK(starts(refusal("faults = []"), "p.toml:1:10: 'faults': the plan takes name, seed, fault"));
  CHECK(starts(refusal("name = \"a\"\nseed = 1\n[launch]\ncommand = [\"x\", \"a\\u0000b\"]\n"),
               "p.toml:4:17: a NUL character in a string"));
  CHECK(starts(refusal("\"a\\u0000\" = 1\n"), "p.toml:1:1: a NUL character in a string"));
  CHECK(starts(refusal("[expect]\nevery_fault_strikes = 1"),
               "p.toml:2:23: 'every_fault_strikes': expected true or false"));
  CHECK(starts(refusal("[expect]\nall_faults_triggered = 1"),
               "p.toml:2:24: 'all_faults_triggered': expected true or false"));
  CHECK(starts(refusal("[expect]\nall_faults_triggered = true\nevery_fault_strikes = true"),
               "p.toml:3:23: 'every_fault_strikes': is the old name of all_faults_triggered"));
  CHECK(starts(refusal("[expect]\n\"\" = 1"), "p.toml:2:6: '': [expect] takes exit"));
  CHECK(starts(refusal("name = \"\""), "p.toml:1:8: 'name': expected a name"));
  CHECK(starts(refusal("[expect]\nroot_cause = []"), "p.toml:2:14: 'root_cause': expected {"));
  CHECK(starts(refusal("[expect]\nroot_cause = {by = \"\"}"), "p.toml:2:20: 'by': expected"));
  CHECK(starts(refusal("[launch]\ntimeout = 0"), "p.toml:2:11: 'timeout': expected more than 0"));
  CHECK(starts(refusal("[launch]\ncommand = []"), "p.toml:2:11: 'command': expected a program"));
  CHECK(starts(refusal("seed = -1"), "p.toml:1:8: 'seed': expected an integer from 0"));
  CHECK(starts(refusal("[expect]\nexit = 256"), "p.toml:2:8: 'exit': expected an integer"));
  CHECK(starts(refusal("[expect]\nrestart = 1"), "p.toml:2:11: 'restart': [expect] takes exit"));
  CHECK(starts(refusal("[expect]\ndetected_within = \"soon\""), "p.toml:2:19: detected_within"));
  CHECK(starts(refusal("[expect]\ndetected_within = true"),
               "p.toml:2:19: 'detected_within': expected a time"));
  CHECK(
      starts(refusal("[expect]\nroot_cause = {by = \"exit 03\"}"), "p.toml:2:20: 'by': expected"));
  CHECK(starts(refusal("[expect]\ncheckpoint_digest = \"\""), "p.toml:2:21: 'checkpoint_digest'"));
  CHECK(starts(refusal("[expect]\nroot_cause = 3"), "p.toml:2:14: 'root_cause': expected {"));
  CHECK(starts(refusal("[expect]\nroot_cause = {by = \"SIGFOO\"}"), "p.toml:2:20: 'by': expected"));
  CHECK(starts(refusal("[expect]\nroot_cause = {rank = 4}"), "p.toml:2:22: 'rank': expected"));
  std::string many = "[expect]\nroot_cause = [\n";
  for (int i = 0; i < 257; ++i) many += "{rank = 1},\n";
  CHECK(starts(refusal(many + "]"), "p.toml:259:1: 'root_cause': expected no more than 256"));
  CHECK(starts(refusal("[launch]\ncommand = \"x\""), "p.toml:2:11: 'command': expected an array"));
  CHECK(starts(refusal("expect = 3"), "p.toml:1:10: 'expect': expected a table"));
  CHECK(starts(refusal("a = = b"), "p.toml:1:5: "));
  const auto missing = read_fault_plan("/nonexistent/plan.toml", 4);
  REQUIRE_FALSE(missing);
  CHECK(missing.error() == "/nonexistent/plan.toml: No such file or directory");
}

TEST_CASE("the faults of a former run are read back, and nothing else of it") {
  const auto replay = parse_replay(
      R"({"v":1,"t_ns":1,"event":"run_started"}
{"v":1,"t_ns":2,"event":"fault_injected","gen":0,"rank":2,"replay":"kill@rank=2,step=50,gen=0"}
{"v":1,"t_ns":3,"event":"worker_exited","rank":2}
{"v":1,"t_ns":4,"event":"fault_injected","gen":1,"replay":"stop@rank=1,after=1500us,gen=1,for=2s"}
{"v":1,"t_ns":5,"event":"fault_inj)",
      "events.jsonl", 4);
  REQUIRE_MESSAGE(replay, (replay ? "" : replay.error()));
  REQUIRE(replay->faults.size() == 2);
  CHECK(fault::format(replay->faults[0]) == "kill@rank=2,step=50,gen=0");
  CHECK(fault::format(replay->faults[1]) == "stop@rank=1,after=1500us,gen=1,for=2s");
}

TEST_CASE("an event that cannot be replayed is reported with its line") {
  const auto refused = [](std::string_view text) {
    const auto replay = parse_replay(text, "e.jsonl", 2);
    return replay ? "accepted" : replay.error();
  };
  CHECK(refused("") == "e.jsonl: no fault was injected in this run");
  CHECK(refused("{\"event\":\"x\"}\nnonsense\n{}\n") ==
        "e.jsonl:2: not an event: expected one JSON object a line");
  CHECK(refused("{\"e\":1}\n") == "e.jsonl:1: not an event: it has no \"event\"");
  CHECK(refused("{\"event\":\"fault_injected\"}\n") ==
        "e.jsonl:1: a fault_injected event without \"replay\"");
  for (const std::string version : {"2", "0", "\"1\""}) {
    CHECK(refused("{\"v\":" + version + ",\"event\":\"x\"}\n") ==
          "e.jsonl:1: \"v\" is " + version + ": expected 1, the version of this ddp-launch");
  }
  CHECK(starts(refused("{\"event\":\"fault_injected\",\"replay\":\"kill@rank=2\"}\n"),
               "e.jsonl:1: 'kill@rank=2': column 11: '2': expected ranks from 0 to 1"));
}

TEST_CASE("only regular files are read: no directory, no endless device") {
  CHECK(read_fault_plan("/dev/zero", 4).error() == "/dev/zero: it is not a regular file");
  CHECK(read_fault_plan("/", 4).error() == "/: it is not a regular file");
  CHECK(read_replay("/dev/zero", 4).error() == "/dev/zero: it is not a regular file");
  CHECK(read_replay("/nonexistent", 4).error() == "/nonexistent: No such file or directory");
}

TEST_CASE("JUnit XML counts, and escapes whatever a text holds") {
  const std::string xml =
      junit_xml({{"a <b> & \"c\"",
                  milliseconds(1500),
                  std::string("bell \x07, cut \xC3, nul \0 end, \xE2\x82\xAC", 29),
                  {{"exit", std::nullopt}, {"restarts", "expected 1,\nmeasured 2"}}},
                 {"empty", milliseconds(0), "", {}}});
  CHECK(xml ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites name=\"ddp-launch\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"1.500\">\n"
        "  <testsuite name=\"a &lt;b&gt; &amp; &quot;c&quot;\" tests=\"2\" failures=\"1\" "
        "errors=\"0\" skipped=\"0\" time=\"1.500\">\n"
        "    <testcase classname=\"a &lt;b&gt; &amp; &quot;c&quot;\" name=\"exit\"/>\n"
        "    <testcase classname=\"a &lt;b&gt; &amp; &quot;c&quot;\" name=\"restarts\">\n"
        "      <failure message=\"expected 1,&#10;measured 2\"/>\n"
        "    </testcase>\n"
        "    <system-out>bell \xEF\xBF\xBD, cut \xEF\xBF\xBD, nul \xEF\xBF\xBD end, "
        "\xE2\x82\xAC</system-out>\n"
        "  </testsuite>\n"
        "  <testsuite name=\"empty\" tests=\"0\" failures=\"0\" errors=\"0\" skipped=\"0\" "
        "time=\"0.000\">\n"
        "  </testsuite>\n"
        "</testsuites>\n");
}

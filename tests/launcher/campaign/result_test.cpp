#include "launcher/campaign/result.hpp"
#include "launcher/base/figures.hpp"
#include "launcher/campaign/report.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace {

using namespace ddp;
using namespace ddp::campaign;
using std::chrono::milliseconds;
using std::chrono::seconds;

const core::Check* named(const std::vector<core::Check>& checks, const std::string& name) {
  for (const auto& check : checks) {
    if (check.name == name) return &check;
  }
  return nullptr;
}

bool all_met(const std::vector<core::Check>& checks) { return PlanResult{.checks = checks}.met(); }

std::vector<core::Check> judged(const core::FaultPlan& plan, core::ExitStatus status,
                                std::vector<core::Check> own = {}) {
  return evaluate(plan, {.status = status}, {.checks = std::move(own)});
}

const core::Check kMet{"restarts", "1", "1", true};
const core::Check kNotMet{"restarts", "1", "0", false};

PlanResult failed(const std::string& name) {
  return {.name = name,
          .duration = seconds(12),
          .checks = {{"exit", "0", "137", false}, kMet},
          .failures = {{milliseconds(2), milliseconds(30), std::nullopt},
                       {milliseconds(1), milliseconds(40), seconds(1)}},
          .tail = {"[0] last words", "[1] <&>"}};
}
PlanResult good(const std::string& name) {
  return {.name = name, .duration = milliseconds(4100), .checks = {kMet}};
}
PlanResult stopped(const std::string& name) {
  return {.name = name, .duration = seconds(1), .checks = {kNotMet}, .stopped = true};
}

}  // namespace

TEST_CASE("a run's own checks and failures are read from its events") {
  const auto events = read_events(
      R"({"v":1,"t_ns":1,"event":"run_started"}
{"v":1,"t_ns":2,"event":"expectation","name":"restarts","expected":"1","measured":"0","met":false}
{"v":1,"t_ns":3,"event":"failure","gen":0,"detected_ns":1500,"down_ns":2500,"first_step_ns":9}
{"v":1,"t_ns":4,"event":"failure","gen":1,"down_ns":3500}
not json
[1]
{"v":1,"t_ns":5,"event":"expectation","name":"exit","expected":"0","measured":"0","met":true}
{"v":1,"t_ns":6,"event":"lost","what":"stdout: full"}
{"v":1,"t_ns":6,"event":"lost","what":"events.jsonl: full"}
{"v":1,"t_ns":7,"event":"expectation","name":"cut)");
  REQUIRE(events.checks.size() == 2);
  CHECK(events.checks[0].name == "restarts");
  CHECK(events.checks[0].expected == "1");
  CHECK(events.checks[0].measured == "0");
  CHECK_FALSE(events.checks[0].met);
  CHECK(events.checks[1].met);
  REQUIRE(events.failures.size() == 2);
  CHECK(events.failures[0].detected == core::Nanoseconds(1500));
  CHECK(events.failures[0].down == core::Nanoseconds(2500));
  CHECK(events.failures[0].recovered == core::Nanoseconds(9));
  CHECK_FALSE(events.failures[1].detected);
  CHECK(events.lost == "stdout: full; events.jsonl: full");
  CHECK(read_events("").checks.empty());
}

TEST_CASE("the run's own verdict decides, where it made one") {
  const core::FaultPlan plan;
  CHECK(all_met(judged(plan, core::Exited{0}, {kMet})));
  CHECK_FALSE(all_met(judged(plan, core::Exited{73}, {kMet, kNotMet})));
  // Something went wrong behind its verdict: 74, a process that could not be killed.
  CHECK_FALSE(all_met(judged(plan, core::Exited{74}, {kMet})));
  CHECK_FALSE(all_met(judged(plan, core::Signaled{SIGKILL, false}, {kMet})));
}

TEST_CASE("the exit status is not checked for a plan that kills the keeper") {
  core::FaultPlan plan;
  plan.faults.push_back({.kind = fault::Kind::kill_keeper});
  CHECK(all_met(judged(plan, core::Signaled{SIGKILL, false}, {kMet})));
}

TEST_CASE("a run that could not judge is held against the expected exit code alone") {
  core::FaultPlan plan;
  CHECK(all_met(judged(plan, core::Exited{0})));
  CHECK_FALSE(all_met(judged(plan, core::Exited{70})));
  plan.expect.emplace().exit = 70;
  plan.expect->no_process_left = true;
  CHECK(all_met(judged(plan, core::Exited{70})));
  plan.expect->exit = 128 + SIGKILL;
  CHECK(all_met(judged(plan, core::Signaled{SIGKILL, false})));
  // A check that was not measured is not met, though an empty record would meet it.
  plan.expect->restarts = 0;
  const auto checks = judged(plan, core::Signaled{SIGKILL, false});
  REQUIRE(named(checks, "restarts") != nullptr);
  CHECK_FALSE(named(checks, "restarts")->met);
  CHECK(named(checks, "restarts")->measured ==
        "not measured: the run was killed by SIGKILL and reported no result");
  CHECK(named(checks, "exit")->met);
  CHECK(named(judged(plan, core::Exited{2}), "restarts")->measured ==
        "not measured: the run exited with code 2 and reported no result");
}

TEST_CASE("what only the campaign sees is a separate check") {
  core::FaultPlan plan;
  plan.launch.timeout = seconds(90);
  auto checks = evaluate(plan, {.status = core::Exited{0}, .timed_out = true}, {.checks = {kMet}});
  REQUIRE(named(checks, "timeout") != nullptr);
  CHECK(named(checks, "timeout")->expected == "exits within 90 s");
  CHECK_FALSE(named(checks, "timeout")->met);

  // The other checks of a run that was stopped mean nothing.
  checks = evaluate(plan, {.status = core::Exited{143}, .timed_out = true}, {});
  CHECK(checks.size() == 1);
  checks = evaluate(plan, {.status = core::Exited{73}, .timed_out = true, .processes_left = 1},
                    {.checks = {kMet, kNotMet}});
  REQUIRE(checks.size() == 2);
  CHECK(named(checks, "timeout") != nullptr);
  CHECK(named(checks, "nothing_left") != nullptr);

  checks = evaluate(plan, {.status = core::Exited{0}, .processes_left = 2}, {.checks = {kMet}});
  REQUIRE(named(checks, "nothing_left") != nullptr);
  CHECK(named(checks, "nothing_left")->measured == "2 when ddp-launch exited");

  checks = evaluate(plan, {.not_started = "ddp-launch: No such file or directory"}, {});
  REQUIRE(checks.size() == 1);
  CHECK(checks[0].measured == "ddp-launch: No such file or directory");
  CHECK_FALSE(all_met(checks));
}

TEST_CASE("lost output of a run is reported, and counts against the system, not the program") {
  core::FaultPlan plan;
  const RunEvents whole{.checks = {kMet}};
  const RunEvents lost{.checks = {kMet}, .lost = "stdout: No space left on device"};
  const RunEvents silent;
  const auto checks = evaluate(plan, {.status = core::Exited{0}}, lost);
  REQUIRE(named(checks, "kept") != nullptr);
  CHECK_FALSE(named(checks, "kept")->met);
  CHECK(named(checks, "kept")->measured == "stdout: No space left on device");
  CHECK(named(evaluate(plan, {.status = core::Exited{0}}, whole), "kept") == nullptr);
  CHECK(system_refused(plan, {.status = core::Exited{0}}, lost));
  CHECK_FALSE(system_refused(plan, {.status = core::Exited{73}}, whole));
  // 71 may be the program's own, where a run with expectations has no such verdict.
  CHECK_FALSE(system_refused(plan, {.status = core::Exited{71}}, silent));
  plan.expect.emplace();
  CHECK(system_refused(plan, {.status = core::Exited{71}}, silent));
  CHECK_FALSE(system_refused(plan, {.status = core::Exited{2}}, silent));
}

TEST_CASE("progress is one line, with the last lines of output for a plan that is not met") {
  CHECK(progress_text(good("kill"), 3, 27) == " 3/27  met      kill  4.10 s\n");
  CHECK(progress_text(failed("hang"), 12, 27) ==
        "12/27  NOT MET  hang  12.0 s  exit: expected 0, measured 137\n"
        "    | [0] last words\n    | [1] <&>\n");
  CHECK(progress_text(stopped("x"), 1, 2) == "1/2  STOPPED  x  1.00 s\n");
}

TEST_CASE("the summary has a row a plan and counts them") {
  CHECK(summary_table({good("kill"), failed("hang\nup")}, 2) ==
        "         plan     duration  failures  detected     down  recovered\n"
        "met      kill       4.10 s         0         -        -          -\n"
        "NOT MET  hang up    12.0 s         2   2.00 ms  40.0 ms     1.00 s  "
        "exit: expected 0, measured 137\n"
        "2 plans: 1 met, 1 NOT MET\n");
  const auto cut_short = summary_table({good("a"), stopped("b")}, 4);
  CHECK(cut_short.ends_with("4 plans: 1 met, 1 stopped, 2 not run\n"));
  CHECK(summary_table({good("a")}, 1).ends_with("1 plan: 1 met\n"));
}

TEST_CASE("JUnit shows a suite a plan and a case a check") {
  const auto suites = junit_suites({good("kill"), failed("hang"), stopped("late")});
  REQUIRE(suites.size() == 3);
  CHECK(suites[0].name == "kill");
  CHECK(suites[0].output == "");
  REQUIRE(suites[0].cases.size() == 1);
  CHECK_FALSE(suites[0].cases[0].failure);
  CHECK(suites[1].duration == seconds(12));
  CHECK(suites[1].output == "[0] last words\n[1] <&>\n");
  CHECK(suites[1].cases[0].failure == "expected 0, measured 137");
  REQUIRE(suites[2].cases.size() == 1);  // the cause, and nothing that came of it
  CHECK(suites[2].cases[0].failure == "the campaign was stopped");
  CHECK(junit_xml(suites).find("failures=\"2\"") != std::string::npos);
}

TEST_CASE("how far a campaign is, within the width of a terminal") {
  using namespace std::chrono_literals;
  const std::vector<PlanResult> results{good("a"), failed("b")};
  const auto each = (results[0].duration + results[1].duration) / 2;
  CHECK(status_text({}, 3, "kill", 41s, 80) == "plan 1 of 3: kill  0:41");
  const std::string full = status_text(results, 4, "kill", 0s, 120);
  CHECK(full ==
        "plan 3 of 4: kill  0:00  1 met, 1 NOT MET  about " + clock_text(2 * each) + " left");
  CHECK(status_text(results, 4, std::string(500, 'x'), 0s, 80).size() == 79);
  CHECK(status_text(results, 4, "kill", 0s, 20) == "plan 3 of 4:   0:00");
  CHECK(status_text(results, 4, "a\nb\x1b", 0s, 120).find('\n') == std::string::npos);
}

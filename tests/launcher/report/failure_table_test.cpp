#include "launcher/report/failure_table.hpp"
#include "launcher/core/record/expectations.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace {

using namespace ddp::core;
using ddp::fault::Kind;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint at(Nanoseconds since) { return TimePoint{} + since; }

Verdict rank_2_killed() {
  Verdict verdict;
  verdict.workers.resize(4);
  verdict.workers[2].last_step = 50;
  verdict.cause = WorkerFailed{2, Signaled{SIGKILL}, false};
  verdict.failed = at(microseconds(1'000'400));
  verdict.ended = at(microseconds(1'004'400));
  return verdict;
}

InjectedFault kill_of_rank_2() {
  InjectedFault fault;
  fault.injection = {.kind = Kind::kill, .generation = 0, .local_rank = 2, .step = 50};
  fault.at = at(seconds(1));
  return fault;
}

// A generation that fails 1 s after its start, at step 50.
RunRecord failed(const std::vector<InjectedFault>& faults, const Verdict& verdict) {
  RunRecord record;
  record.began(0);
  record.started(at(milliseconds(1)));
  record.started(at(milliseconds(2)));
  record.stepped(1, at(milliseconds(100)));
  record.stepped(50, at(milliseconds(990)));
  record.stepped(49, at(milliseconds(991)));
  for (const auto& fault : faults) record.injected(fault);
  record.ended(verdict);
  return record;
}

// The next generation begins at step 41.
RunRecord recovered(const std::vector<InjectedFault>& faults = {kill_of_rank_2()},
                    const Verdict& verdict = rank_2_killed()) {
  RunRecord record = failed(faults, verdict);
  record.began(1);
  record.started(at(milliseconds(1010)));
  record.started(at(milliseconds(1012)));
  record.stepped(41, at(milliseconds(1500)));
  record.stepped(100, at(seconds(3)));
  return record;
}

const Check& named(const std::vector<Check>& checks, const std::string& name) {
  for (const auto& check : checks) {
    if (check.name == name) return check;
  }
  FAIL("no check " << name);
  return checks.front();
}

}  // namespace

TEST_CASE("the cost of a failure is measured") {
  const RunRecord record = recovered();
  REQUIRE(record.incidents().size() == 1);
  const auto& incident = record.incidents()[0];
  REQUIRE(incident.fault);
  CHECK(incident.fault->injection.kind == Kind::kill);
  CHECK(incident.rank == 2);
  CHECK(incident.step == 50);
  CHECK(incident.detected == microseconds(400));
  CHECK(incident.down == milliseconds(4));
  CHECK(incident.next_exec == microseconds(9600));
  CHECK(incident.first_step == microseconds(499'600));
  CHECK(incident.repeated == 10);
  CHECK(cause_name(incident.cause) == "SIGKILL");
}

TEST_CASE("each expectation is met or not met, with the measured value") {
  Expectations expect;
  expect.exit = 0;
  expect.restarts = 1;
  expect.restarts_at_most = 1;
  expect.detected_within = milliseconds(1);
  expect.torn_down_within = milliseconds(4);
  expect.recovered_within = seconds(1);
  expect.lost_steps_at_most = 10;
  expect.root_causes = {{2, "SIGKILL"}};
  expect.no_process_left = true;
  expect.checkpoint_digest = "abc";
  RunRecord record = recovered();
  record.reported_digest("abc");
  const auto met = evaluate(expect, record);
  CHECK(met.size() == 10);
  for (const auto& check : met) {
    CAPTURE(check.name);
    CHECK(check.met);
  }
  CHECK(named(met, "recovered_within").measured == "500 ms");
  CHECK(named(met, "recovered_within").expected == "at most 1 s");
  CHECK(named(met, "lost_steps_at_most").measured == "10 steps");

  expect.exit = 3;
  expect.restarts = 0;
  expect.restarts_at_most = 0;
  expect.detected_within = microseconds(399);
  expect.torn_down_within = milliseconds(3);
  expect.recovered_within = milliseconds(499);
  expect.lost_steps_at_most = 9;
  expect.root_causes = {{1, "SIGKILL"}, {2, ""}};
  expect.checkpoint_digest = "abd";
  record.finished(0, 1);
  const auto unmet = evaluate(expect, record);
  CHECK(unmet.size() == 11);
  for (const auto& check : unmet) {
    CAPTURE(check.name);
    CHECK_FALSE(check.met);
  }
  CHECK(named(unmet, "root_cause").measured == "rank 2 by SIGKILL");
  CHECK(named(unmet, "root_cause 2").measured == "no failure");
  CHECK(named(unmet, "checkpoint_digest").measured == "abc");
}

TEST_CASE("a plan whose fault was never triggered or was refused is not met") {
  FaultTally kill{{.kind = Kind::kill, .ranks = {}, .step = ddp::fault::Range{50, 50}}};
  FaultTally random{{.kind = Kind::kill, .mtbf = ddp::fault::Interval{std::int64_t{200}}}};
  FaultTally exits{{.kind = Kind::exit}};
  const auto judged = [](const std::vector<FaultTally>& planned, const Expectations& expect = {}) {
    RunRecord record;
    record.began(0);
    record.finished(0, 0, planned);
    return std::pair(evaluate(expect, record), ddp::failure_table(record));
  };
  const auto [missed, text] = judged({kill, random, exits});
  CHECK_FALSE(named(missed, "all_faults_triggered").met);
  CHECK(named(missed, "all_faults_triggered").measured ==
        "kill@rank=any,step=50 was never triggered");
  CHECK(text ==
        "ddp-launch: kill@rank=any,step=50 was never triggered\n"
        "ddp-launch: kill@rank=any,mtbf=200steps was never triggered\n"
        "ddp-launch: exit@rank=any was never triggered: the worker must inject it\n");
  kill.refused = 2;
  const auto [refused, text_before] = judged({kill});
  CHECK(named(refused, "all_faults_triggered").measured == "kill@rank=any,step=50 was refused");
  CHECK(text_before.empty());
  kill.injected = 1;
  const auto [injected, nothing] = judged({kill, random});
  CHECK(named(injected, "all_faults_triggered").met);
  CHECK(nothing == "ddp-launch: kill@rank=any,mtbf=200steps was never triggered\n");
  FaultTally line{{.kind = Kind::kill, .line = "x"}};
  line.unread = true;
  CHECK(
      judged({line}).second ==
      "ddp-launch: kill@rank=any,line=x was never triggered: ddp-launch does not read output that "
      "--redirects sends to files\n");
  // Not expected, or no fault that must be triggered.
  CHECK(judged({exits}, {.all_faults_triggered = false}).first.size() == 1);
  CHECK(judged({random}).first.size() == 1);
  CHECK(judged({}).first.size() == 1);

  const auto many = judged(std::vector<FaultTally>(30, exits)).second;
  CHECK(many.find("and 22 more faults were never triggered\n") != std::string::npos);
}

TEST_CASE("only the exit code of a lost record is known") {
  const FaultTally supervisor{{.kind = Kind::kill_supervisor}};
  const FaultTally kill{{.kind = Kind::kill}};
  Expectations expect;
  expect.exit = 70;
  expect.restarts_at_most = 0;
  expect.no_process_left = true;
  RunRecord record;
  record.lost(70, 0, {supervisor, kill});
  auto checks = evaluate(expect, record);
  CHECK(checks.size() == 4);
  CHECK(named(checks, "exit").met);
  CHECK(named(checks, "no_process_left").met);
  for (const char* unknown : {"restarts_at_most", "all_faults_triggered"}) {
    CHECK_FALSE(named(checks, unknown).met);
    CHECK(named(checks, unknown).measured == "unknown: the record was lost with the supervisor");
  }
  CHECK(ddp::failure_table(record).empty());

  expect.restarts_at_most.reset();
  RunRecord alone;
  alone.lost(70, 1, {supervisor});
  checks = evaluate(expect, alone);
  CHECK(checks.size() == 2);
  CHECK_FALSE(named(checks, "no_process_left").met);
}

TEST_CASE("without a failure no time is measured") {
  RunRecord record;
  record.began(0);
  Expectations expect;
  expect.detected_within = seconds(9);
  expect.recovered_within = seconds(9);
  expect.checkpoint_digest = "x";
  const auto checks = evaluate(expect, record);
  CHECK(named(checks, "exit").met);
  CHECK_FALSE(named(checks, "detected_within").met);
  CHECK(named(checks, "detected_within").measured == "no failure");
  CHECK_FALSE(named(checks, "recovered_within").met);
  CHECK(named(checks, "checkpoint_digest").measured == "no digest reported");
}

TEST_CASE("a failure that was not injected has no detection time") {
  Expectations expect;
  expect.detected_within = seconds(9);
  CHECK(named(evaluate(expect, recovered({})), "detected_within").measured ==
        "a failure that was not injected");
  InjectedFault slow;
  slow.injection = {.kind = Kind::slow, .generation = 0, .local_rank = 2};
  slow.at = at(milliseconds(500));
  CHECK_FALSE(recovered({slow}).incidents()[0].fault);
}

TEST_CASE("a stop request is not a failure") {
  Verdict verdict = rank_2_killed();
  verdict.cause = StoppedBySignal{SIGTERM};
  CHECK(recovered({kill_of_rank_2()}, verdict).incidents().empty());
}

TEST_CASE("a group that did not restart has not recovered") {
  const RunRecord record = failed({kill_of_rank_2()}, rank_2_killed());
  Expectations expect;
  expect.recovered_within = seconds(60);
  expect.lost_steps_at_most = 1000;
  const auto checks = evaluate(expect, record);
  CHECK_FALSE(named(checks, "recovered_within").met);
  CHECK_FALSE(named(checks, "lost_steps_at_most").met);
  CHECK(named(checks, "lost_steps_at_most").measured == "no steps to compare");
}

TEST_CASE("the table lists injected faults and other causes") {
  RunRecord record = recovered();
  InjectedFault harmless;
  harmless.injection = {
      .kind = Kind::slow, .value = 0.5, .generation = 1, .local_rank = 1, .step = 60};
  harmless.at = at(seconds(2));
  record.injected(harmless);
  harmless.injection.kind = Kind::pin;
  harmless.injection.value = std::int64_t{9};
  harmless.refused = "Invalid argument";
  record.injected(harmless);
  CHECK(ddp::failure_table(record) ==
        "ddp-launch: failures (times since detection)\n"
        "  attempt  failure        rank  step  detected     down  next exec  first step  repeated\n"
        "        0  injected kill     2    50    400 us  4.00 ms    9.60 ms      500 ms        10\n"
        "ddp-launch: injected slow=0.5 (attempt 1, rank 1, step 60); no failure followed\n"
        "ddp-launch: could not inject pin=9 (attempt 1, rank 1, step 60): Invalid argument\n");
  CHECK(ddp::failure_table(recovered({})) ==
        "ddp-launch: failures (times since detection)\n"
        "  attempt  failure  rank  step     down  next exec  first step  repeated\n"
        "        0  SIGKILL     2    50  4.00 ms    9.60 ms      500 ms        10\n");
  // One plain failure: the failure report says everything.
  CHECK(ddp::failure_table(failed({}, rank_2_killed())).empty());
  // A plan's has its table; columns that nothing fills are left out.
  CHECK(ddp::failure_table(failed({}, rank_2_killed()), true) ==
        "ddp-launch: failures (times since detection)\n"
        "  attempt  failure  rank  step     down\n"
        "        0  SIGKILL     2    50  4.00 ms\n");
  CHECK(ddp::failure_table(RunRecord()).empty());

  // A peer gave up first: whose failure it was, and whose fault.
  Verdict peer = rank_2_killed();
  peer.cause = WorkerFailed{0, Exited{1}, false};
  peer.workers[0].last_step = 49;
  CHECK(ddp::failure_table(failed({kill_of_rank_2()}, peer))
            .find("    0  injected kill at rank 2     0    49 ") != std::string::npos);
}

TEST_CASE("a measured value has enough digits to differ from its limit") {
  const auto measured = [](Nanoseconds took, Nanoseconds limit) {
    RunRecord record;
    record.began(0);
    Verdict verdict = rank_2_killed();
    verdict.ended = *verdict.failed + took;
    record.ended(verdict);
    Expectations expect;
    expect.torn_down_within = limit;
    return named(evaluate(expect, record), "torn_down_within").measured;
  };
  CHECK(measured(milliseconds(1500), seconds(2)) == "1.50 s");
  CHECK(measured(seconds(2), seconds(2)) == "2.00 s");
  CHECK(measured(Nanoseconds(2'000'412'345), seconds(2)) == "2.0004 s");
  CHECK(measured(microseconds(1'998'700), milliseconds(1999)) == "1.9987 s");
  CHECK(measured(milliseconds(2000), milliseconds(1999)) == "2.000 s");
  CHECK(measured(Nanoseconds(2'000'000'001), seconds(2)) == "2.000000001 s");
}

TEST_CASE("a million injections take constant memory; the cause of the failure is kept") {
  RunRecord record;
  record.began(0);
  InjectedFault limit;  // early, and the cause in the end
  limit.injection = {.fault = 1, .kind = Kind::open_files, .generation = 0, .local_rank = 1};
  limit.at = at(milliseconds(1));
  record.injected(limit);
  InjectedFault harmless;
  harmless.injection = {.fault = 0, .kind = Kind::slow, .value = 0.5, .generation = 0};
  for (int i = 0; i < 100'000; ++i) {
    harmless.injection.local_rank = 2 + i % 2;
    harmless.at = at(milliseconds(2 + i));
    record.injected(harmless);
  }
  Verdict verdict;
  verdict.workers.resize(4);
  verdict.cause = WorkerFailed{1, Exited{99}, false};
  verdict.failed = at(seconds(1000));
  verdict.ended = at(seconds(1001));
  record.ended(verdict);
  const auto untold = record.harmless();
  CHECK(untold.first.size() == 8);
  CHECK(untold.more == 100'000 - 8);
  REQUIRE(record.incidents().size() == 1);
  REQUIRE(record.incidents()[0].fault);
  CHECK(record.incidents()[0].fault->injection.kind == Kind::open_files);
  CHECK(ddp::failure_table(record).find("more injected faults; no failure followed") !=
        std::string::npos);
}

TEST_CASE("a program that never ran prints no table") {
  RunRecord record;
  record.began(0);
  Verdict verdict;
  verdict.workers.resize(1);
  verdict.cause = WorkerNotStarted{0, {SpawnStage::exec, 2}};
  verdict.failed = at(milliseconds(1));
  verdict.ended = at(milliseconds(2));
  record.ended(verdict);
  CHECK(ddp::failure_table(record).empty());
  record.started(at(milliseconds(1)));  // another rank was
  CHECK(ddp::failure_table(record, true).find("not started") != std::string::npos);
}

TEST_CASE("a fault to several ranks is one failure and none of them is harmless") {
  RunRecord record;
  record.began(0);
  record.started(at(milliseconds(1)));
  InjectedFault kill;
  kill.injection = {.fault = 0, .kind = Kind::kill, .generation = 0};
  for (int rank = 0; rank < 4; ++rank) {
    kill.injection.local_rank = rank;
    kill.at = at(milliseconds(10 + rank));
    record.injected(kill);
  }
  InjectedFault slow;  // another fault, which did nothing
  slow.injection = {.fault = 1, .kind = Kind::slow, .value = 0.5, .generation = 0, .local_rank = 3};
  slow.at = at(milliseconds(5));
  record.injected(slow);
  Verdict verdict;
  verdict.workers.resize(4);
  for (int rank = 0; rank < 4; ++rank) {
    verdict.workers[static_cast<std::size_t>(rank)].local_rank = rank;
    verdict.workers[static_cast<std::size_t>(rank)].status = Signaled{SIGKILL};
  }
  verdict.workers[2].status = Exited{1};  // it noticed first that the others were gone
  verdict.cause = WorkerFailed{1, Signaled{SIGKILL}, false};
  verdict.failed = at(milliseconds(20));
  verdict.ended = at(milliseconds(21));
  record.ended(verdict);
  CHECK(record.ended_alike() == std::vector<LocalRank>{0, 3});
  REQUIRE(record.incidents().size() == 1);
  REQUIRE(record.incidents()[0].fault);
  CHECK(record.incidents()[0].fault->injection.local_rank == 1);
  const auto table = ddp::failure_table(record);
  CHECK(table.find("injected kill (attempt 0, rank 0)") == std::string::npos);
  CHECK(table.find("injected kill (attempt 0, rank 2); no failure followed") != std::string::npos);
  CHECK(table.find("injected slow=0.5 (attempt 0, rank 3); no failure followed") !=
        std::string::npos);

  record.began(1);
  record.ended({});
  CHECK(record.ended_alike().empty());
}

TEST_CASE("a delayed rank explains a hang whose root cause is another rank or none") {
  for (const Kind kind : {Kind::spawn_delay, Kind::slow, Kind::delay, Kind::pin}) {
    CAPTURE(static_cast<int>(kind));
    InjectedFault late;
    late.injection = {.kind = kind, .generation = 0, .local_rank = 1};
    late.at = at(milliseconds(500));
    Verdict verdict = rank_2_killed();
    CHECK_FALSE(failed({late}, verdict).incidents()[0].fault);  // not by that
    verdict.cause = Hung{{.kind = HangKind::not_ready}, std::nullopt};
    CHECK(failed({late}, verdict).incidents()[0].fault);
    verdict.cause = Hung{{.kind = HangKind::not_ready}, 3};
    CHECK(failed({late}, verdict).incidents()[0].fault);
  }
}

TEST_CASE("a million failures take constant memory; the worst one is measured") {
  RunRecord record;
  Verdict verdict = rank_2_killed();
  constexpr int kFailures = 3000;
  for (int i = 0; i < kFailures; ++i) {
    record.began(i);
    record.started(at(seconds(2 * i)));
    record.stepped(50, at(seconds(2 * i)));
    verdict.failed = at(seconds(2 * i + 1));
    verdict.ended = *verdict.failed + milliseconds(i == 2000 ? 900 : 1);
    InjectedFault kill = kill_of_rank_2();
    kill.at = *verdict.failed - microseconds(400);
    record.injected(kill);
    record.ended(verdict);
  }
  CHECK(record.incidents().size() == RunRecord::kMostIncidents + 1);
  CHECK(record.incidents()[255].generation == 255);
  CHECK(record.incidents().back().generation == kFailures - 1);
  CHECK(record.last_failure() == &record.incidents().back());
  CHECK(record.restarts() == kFailures - 1);
  CHECK(record.harmless().first.empty());
  const auto all = record.summary();
  CHECK(all.count == kFailures);
  CHECK(all.down.value == milliseconds(900));  // of one that is not kept
  CHECK(all.detected.value == microseconds(400));
  CHECK(all.detected.complete);
  CHECK(all.first_step.value == seconds(1));
  CHECK_FALSE(all.first_step.complete);  // nothing came after the last
  CHECK(all.repeated.value == 1);
  CHECK(ddp::failure_table(record).find("  and 2980 more\n") != std::string::npos);

  record.began(kFailures);
  record.stepped(50, at(seconds(2 * kFailures)));
  CHECK(record.summary().first_step.complete);
  record.ended({});
  CHECK(record.last_failure() == nullptr);
}

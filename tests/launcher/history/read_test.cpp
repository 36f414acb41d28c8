#include "launcher/history/read.hpp"
#include "launcher/history/builder.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

using namespace ddp;
using namespace ddp::history;

namespace {

std::string line(const std::string& event, double seconds, const std::string& fields = "") {
  std::ostringstream text;
  text << R"({"v":1,"t_ns":)" << static_cast<long long>(seconds * 1e9)
       << R"(,"wall":"2026-01-31T12:00:00.000000Z","event":")" << event << '"'
       << (fields.empty() ? "" : "," + fields) << "}\n";
  return text.str();
}

Result<History> read_text(const std::string& text) {
  std::istringstream input(text);
  return read(input, "events.jsonl");
}

History history_of(const std::string& text) {
  auto read = read_text(text);
  REQUIRE_MESSAGE(read, read.error());
  return std::move(*read);
}

double seconds(core::TimePoint time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

std::string progress(double at, int step, int gen, int first = 1, const std::string& more = "") {
  return line("progress", at,
              R"("gen":)" + std::to_string(gen) + R"(,"step":)" + std::to_string(step) +
                  R"(,"first":)" + std::to_string(first) + R"(,"at_ns":)" +
                  std::to_string(static_cast<long long>(at * 1e9)) + more);
}

// A run that fails once at step 30 and resumes at step 21.
std::string restarted() {
  std::string text = line("run_started", 1, R"("run_id":"r1","nproc":2,"nnodes":1,"first_rank":0)");
  text += line("generation_began", 1, R"("gen":0)");
  text += line("worker_started", 1.1, R"("gen":0,"rank":0,"pid":10)");
  text += line("worker_started", 1.2, R"("gen":0,"rank":1,"pid":11)");
  text += line("group_running", 1.3, R"("gen":0)");
  text += line("worker_ready", 2, R"("gen":0,"rank":0)");
  text += line("worker_ready", 2, R"("gen":0,"rank":1)");
  text += progress(3, 10, 0, 1, R"(,"loss":2.5)");
  text += progress(5, 30, 0, 1, R"(,"loss":"nan")");
  text += line("worker_exited", 6, R"("gen":0,"rank":1,"signal":9,"oom_killed":true)");
  text += line("teardown_began", 6, R"("gen":0,"rank":1,"signal":15,"waiting_for":1)");
  text += line("worker_exited", 6.5, R"("gen":0,"rank":0,"code":1,"oom_killed":false)");
  text += line("processes_gone", 6.6, R"("gen":0,"survivors":0)");
  text += line("generation_ended", 6.7, R"("gen":0,"exit_code":137,"rank":1)");
  text += line("generation_began", 8, R"("gen":1)");
  text += line("worker_ready", 9, R"("gen":1,"rank":0)");
  text += progress(10, 30, 1, 21);
  text += line("generation_ended", 11, R"("gen":1,"exit_code":0,"rank":-1)");
  return text;
}

}  // namespace

TEST_CASE("a run is read with its attempts, ranks and points") {
  const auto history = history_of(restarted() + line("run_finished", 12, R"("exit_code":0)"));
  CHECK(history.run.run_id == "r1");
  CHECK(history.finished);
  CHECK(history.exit_code == 0);
  REQUIRE(history.generations.size() == 2);
  const auto& first = history.generations[0];
  CHECK(first.exit_code == 137);
  CHECK(first.root_cause == 1);
  CHECK(seconds(*first.teardown) == doctest::Approx(6));
  CHECK(seconds(*first.gone) == doctest::Approx(6.6));
  REQUIRE(first.ranks.size() == 2);
  CHECK(first.ranks[1].signal == 9);
  CHECK(first.ranks[1].oom_killed);
  CHECK_FALSE(first.ranks[1].code);
  CHECK(seconds(*first.ranks[0].ready) == doctest::Approx(2));
  CHECK(first.ranks[0].pid == 10);
  REQUIRE(first.points.size() == 2);
  CHECK(first.points[0].loss == 2.5);
  CHECK(std::isnan(*first.points[1].loss));
  // Steps 21 … 30 were repeated, and 20 of the 20 steps between the points took 2 s.
  REQUIRE(repeated_from(history, 0));
  CHECK(seconds(*repeated_from(history, 0)) == doctest::Approx(4));
  CHECK_FALSE(repeated_from(history, 1));
  REQUIRE(history.goodput);
  CHECK(std::chrono::duration<double>(history.goodput->repeated).count() == doctest::Approx(1));
}

TEST_CASE("a run that has not finished ends with its last event") {
  const auto history = history_of(restarted());
  CHECK_FALSE(history.finished);
  CHECK_FALSE(history.exit_code);
  CHECK(seconds(history.end) == doctest::Approx(11));
  CHECK(history.goodput);
}

TEST_CASE("an incomplete last line, unknown events and fields of another type change nothing") {
  auto text = restarted();
  text += line("from_the_future", 11.1, R"("gen":{"a":[1]})");
  text += line("worker_exited", 11.2, R"("gen":"one","rank":[],"code":"seven")");
  text += line("progress", 11.3, R"("gen":1,"step":1.5)");
  text += R"({"v":1,"t_ns":1200,"event":"worker_ex)";
  const auto history = history_of(text);
  CHECK(history.unreadable == 1);
  CHECK(history.generations.size() == 2);
  CHECK(history.generations[1].points.size() == 1);
}

TEST_CASE("what is no event is counted; a file without any is refused") {
  CHECK(history_of("garbage\n[1]\n{}\n" + restarted()).generations.size() == 2);
  const auto huge = history_of(restarted() + std::string(2 << 20, 'x') + "\n" +
                               line("run_finished", 12, R"("exit_code":3)"));
  CHECK(huge.unreadable == 1);
  CHECK(huge.exit_code == 3);
  CHECK(read_text("").error() == "events.jsonl: it has no event of a run");
  CHECK(read_text("garbage\n").error() == "events.jsonl: it has no event of a run");
  CHECK(read("/dev/zero").error() == "/dev/zero: it is not a regular file");
  CHECK(read("/nowhere/e.jsonl").error() == "/nowhere/e.jsonl: No such file or directory");
}

TEST_CASE("events of another version are refused by line") {
  const auto refused = read_text(restarted() + R"({"v":2,"t_ns":1,"event":"run_finished"})" + "\n");
  CHECK(refused.error() ==
        "events.jsonl:19: \"v\" is 2: expected 1, the version of this ddp-launch");
}

TEST_CASE("of two runs in one file the later one is read") {
  const auto history =
      history_of(restarted() + line("run_started", 20, R"("run_id":"r2","nproc":1)"));
  CHECK(history.run.run_id == "r2");
  CHECK(history.generations.empty());
}

TEST_CASE("the lists are bounded") {
  std::string text = line("run_started", 1, R"("run_id":"r1","nproc":1)");
  for (int i = 0; i < 5000; ++i) {
    const auto gen = std::to_string(i);
    const double at = 2 + i;
    text += line("generation_began", at, "\"gen\":" + gen);
    text += line("worker_started", at, "\"gen\":" + gen + R"(,"rank":0,"pid":1)");
    for (int step = 1; step <= 8; ++step) text += progress(at + 0.1 * step, step, i);
    text += line("failure", at, "\"gen\":" + gen + R"(,"cause":"exit 1","rank":0)");
  }
  const auto history = history_of(text);
  CHECK(history.generations.size() == Builder::kMostGenerations);
  CHECK(history.dropped_generations == 5000 - std::int64_t{Builder::kMostGenerations});
  CHECK(history.generations.back().number == 4999);
  CHECK(history.failures.size() == Builder::kMostOfAList);
  CHECK(history.failures.back().generation == 4999);  // the last are kept
  CHECK(history.dropped == 4000);
  std::size_t points = 0;
  for (const auto& one : history.generations) points += one.points.size();
  CHECK(points <= Builder::kMostPoints);
  CHECK(history.generations.front().points.back().step == 8);
}

TEST_CASE("the last lines of a rank") {
  std::string lines;
  for (int i = 0; i < 30; ++i) lines += "line " + std::to_string(i) + "\\n";
  const auto history = history_of(
      restarted() + line("last_lines", 11, R"("gen":1,"rank":0,"text":")" + lines + "\""));
  REQUIRE(history.last_lines.size() == 1);
  CHECK(history.last_lines[0].lines.size() == Builder::kMostLines);
  CHECK(history.last_lines[0].lines[0] == "line 0");
}

TEST_CASE("a real run: what is computed from its events is what the launcher computed") {
  const auto history = read(std::string(DDP_SOURCE_DIR) + "/tests/launcher/history/run.jsonl");
  REQUIRE_MESSAGE(history, history.error());
  CHECK(history->unreadable == 0);
  CHECK(history->generations.size() == 3);
  CHECK(history->faults.size() == 3);
  CHECK(history->faults[2].undone);
  CHECK(history->failures.size() == 2);
  REQUIRE(history->goodput);
  REQUIRE(history->recorded_goodput);
  const auto close = [&](core::Nanoseconds one, core::Nanoseconds other) {
    return std::abs(static_cast<double>((one - other).count())) <
           0.01 * static_cast<double>(history->goodput->total.count());
  };
  CHECK(close(history->goodput->total, history->recorded_goodput->total));
  for (const auto& part : core::kGoodputParts) {
    INFO(part.what);
    CHECK(close((*history->goodput).*part.time, (*history->recorded_goodput).*part.time));
  }
  // The negative control: the parts are not all alike.
  CHECK_FALSE(close(history->goodput->productive, history->recorded_goodput->repeated));
}

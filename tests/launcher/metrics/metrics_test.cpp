// A run's events, its text and its file, with a clock that the test moves.
#include "launcher/metrics/metrics.hpp"
#include "tests/launcher/supervisor/fake_loop.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>

using namespace ddp::core;
using namespace ddp::metrics;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Metrics with what they are made from, fed with the same events.
struct Rig {
  explicit Rig(int nproc, int node_rank = 0)
      : ranks{.nproc = nproc, .nnodes = node_rank + 1, .node_rank = node_rank},
        progress(ranks),
        metrics(loop.io, loop, {.endpoint = {}, .file = file.string()},
                {.run_id = "r", .program = "a \"b\"", .version = "1", .ranks = ranks}, {.most = 2},
                {.progress = [this]() -> const Progress& { return progress; },
                 .record = [this]() -> const RunRecord& { return record; },
                 .goodput = [this] { return goodput; },
                 .exit_code = [] { return 3; }}) {}

  template <class T>
  void see(const T& one) {
    if constexpr (requires { progress.apply(one, loop.now()); }) progress.apply(one, loop.now());
    if constexpr (std::is_constructible_v<Event, T>) {
      metrics.on(Event(one), loop.now());
    } else {
      metrics.on(Action(one), loop.now());
    }
  }

  void start() {
    see(StartRequested{});
    see(GenerationBegan{0, 0});
    for (LocalRank rank = 0; rank < ranks.nproc; ++rank) see(WorkerStarted{rank, 100 + rank});
    see(GroupRunning{0});
  }

  std::string written() {
    loop.advance(1s);
    return read(file);
  }

  ddp::test::FakeLoop loop;
  fs::path directory = ddp::test::make_temp_dir();
  fs::path file = directory / "run.prom";
  RankGroup ranks;
  Progress progress;
  RunRecord record;
  std::optional<Goodput> goodput;
  Metrics metrics;
};

}  // namespace

TEST_CASE("what is known of a run that has just started") {
  Rig rig(2, 1);
  rig.start();
  const auto text = rig.written();
  CHECK(contains(text, "ddp_launch_build_info{run_id=\"r\",version=\"1\"} 1\n"));
  CHECK(
      contains(text,
               "ddp_launch_run_info{run_id=\"r\",program=\"a \\\"b\\\"\",nproc=\"2\",nnodes=\"2\","
               "node_rank=\"1\"} 1\n"));
  CHECK(contains(text, "ddp_launch_ranks{run_id=\"r\"} 2\n"));
  CHECK(contains(text, "ddp_launch_group_state{run_id=\"r\",state=\"running\"} 1\n"));
  CHECK(contains(text, "ddp_launch_group_state{run_id=\"r\",state=\"starting\"} 0\n"));
  CHECK(contains(text, "ddp_launch_restarts_left{run_id=\"r\"} 2\n"));
  // Global ranks.
  CHECK(contains(text, "ddp_launch_rank_up{run_id=\"r\",rank=\"3\"} 1\n"));
  CHECK_FALSE(contains(text, "rank=\"0\"}"));
  CHECK(contains(text, "ddp_launch_rank_state{run_id=\"r\",rank=\"2\",state=\"started\"} 1\n"));
  CHECK(contains(text, "ddp_launch_rank_state{run_id=\"r\",rank=\"2\",state=\"ready\"} 0\n"));
  // What was not reported is not there.
  for (const char* name : {"ddp_launch_rank_step{", "ddp_launch_rank_loss{", "ddp_launch_step{",
                           "ddp_launch_goodput", "ddp_launch_run_exit_code", "step_seconds_count{"})
    CHECK_FALSE(contains(text, name));
}

TEST_CASE("steps, a loss, goodput") {
  Rig rig(1);
  rig.start();
  rig.see(WorkerTotalSteps{0, 50});
  rig.see(WorkerStep{0, 7, std::nullopt, 2.5});
  rig.loop.advance(100ms);
  rig.see(WorkerStep{0, 8, std::nullopt, std::nan("")});
  rig.goodput = Goodput{.total = 4s, .productive = 3s, .startup = 1s};
  const auto text = rig.written();
  CHECK(contains(text, "ddp_launch_step{run_id=\"r\"} 8\n"));
  CHECK(contains(text, "ddp_launch_planned_steps{run_id=\"r\"} 50\n"));
  CHECK(contains(text, "ddp_launch_rank_step{run_id=\"r\",rank=\"0\"} 8\n"));
  CHECK(contains(text, "ddp_launch_rank_loss{run_id=\"r\",rank=\"0\"} NaN\n"));
  CHECK(contains(text,
                 "ddp_launch_rank_step_seconds_bucket{run_id=\"r\",rank=\"0\",le=\"0.05\"} 0\n"));
  CHECK(contains(text,
                 "ddp_launch_rank_step_seconds_bucket{run_id=\"r\",rank=\"0\",le=\"0.1\"} 1\n"));
  CHECK(contains(text, "ddp_launch_rank_step_seconds_sum{run_id=\"r\",rank=\"0\"} 0.1\n"));
  CHECK(contains(text, "ddp_launch_goodput_seconds{run_id=\"r\",part=\"productive\"} 3\n"));
  CHECK(contains(text, "ddp_launch_goodput_ratio{run_id=\"r\"} 0.75\n"));
}

TEST_CASE(
    "each name has one head, every sample follows its own, and docs/metrics.md has them all") {
  Rig rig(2);
  rig.start();
  rig.see(WorkerTotalSteps{0, 9});
  rig.see(WorkerStep{0, 1, std::nullopt, 1.0});
  rig.see(WorkerStep{0, 2});
  rig.goodput = Goodput{};
  rig.see(Finish{3});
  const auto documented = read(fs::path(DDP_SOURCE_DIR) / "docs/metrics.md");
  std::istringstream lines(read(rig.file));
  std::set<std::string> seen;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    std::string kind;
    std::string type;
    words >> first >> kind;
    if (first != "#") {
      CHECK_MESSAGE(line.starts_with(family), line);
      CHECK(contains(line, "{run_id=\"r\""));
      continue;
    }
    words >> family >> type;
    if (kind == "HELP") CHECK_MESSAGE(seen.insert(family).second, family);
    if (kind == "TYPE")
      CHECK_MESSAGE(contains(documented, "| `" + family + "` | " + type + " | "), family);
  }
  std::size_t rows = 0;
  for (auto at = documented.find("\n| `ddp_launch_"); at != std::string::npos;
       at = documented.find("\n| `ddp_launch_", at + 1))
    ++rows;
  CHECK(rows == seen.size());
}

TEST_CASE("the file is written when something has changed, once a second at most") {
  Rig rig(1);
  rig.start();
  rig.loop.advance(999ms);
  CHECK_FALSE(fs::exists(rig.file));
  rig.loop.advance(1ms);
  CHECK(fs::exists(rig.file));
  CHECK(rig.loop.idle());  // no timer where nothing changes
  fs::remove(rig.file);
  rig.loop.advance(1h);
  CHECK_FALSE(fs::exists(rig.file));
  // At once after a long time, then not for a second.
  rig.see(WorkerStep{0, 1});
  rig.loop.advance(0s);
  CHECK(contains(read(rig.file), "ddp_launch_step{run_id=\"r\"} 1\n"));
  for (int step = 2; step <= 10; ++step) {
    rig.see(WorkerStep{0, step});
    rig.loop.advance(99ms);
    CHECK(contains(read(rig.file), "ddp_launch_step{run_id=\"r\"} 1\n"));
  }
  CHECK(contains(rig.written(), "ddp_launch_step{run_id=\"r\"} 10\n"));
  CHECK(rig.loop.idle());
  // An event that changes nothing starts no timer.
  rig.see(Tick{});
  CHECK(rig.loop.idle());
}

TEST_CASE("the end of the run is in the file at once, and the last thing in it") {
  Rig rig(1);
  rig.start();
  rig.see(WorkerExited{0, Exited{3}});
  rig.see(Finish{3});
  CHECK(rig.loop.idle());
  const auto text = read(rig.file);
  CHECK(contains(text, "ddp_launch_run_exit_code{run_id=\"r\"} 3\n"));
  CHECK(contains(text, "ddp_launch_run_end_time_seconds{run_id=\"r\"} "));
  CHECK(contains(text, "ddp_launch_rank_up{run_id=\"r\",rank=\"0\"} 0\n"));
  CHECK(contains(text, "ddp_launch_group_state{run_id=\"r\",state=\"finished\"} 1\n"));
  fs::remove(rig.file);
  rig.see(WorkerPhase{0, "late"});
  rig.loop.advance(1h);
  CHECK_FALSE(fs::exists(rig.file));
}

TEST_CASE("everyone may read the file, whatever the umask is") {
  const mode_t before = ::umask(0077);
  Rig rig(1);
  rig.start();
  rig.written();
  ::umask(before);
  struct stat file {};
  REQUIRE(::stat(rig.file.c_str(), &file) == 0);
  CHECK((file.st_mode & 07777) == 0644);
}

TEST_CASE("256 ranks") {
  Rig rig(256);
  rig.start();
  for (int step = 1; step <= 3; ++step) {
    for (LocalRank rank = 0; rank < 256; ++rank) rig.see(WorkerStep{rank, step, 0.1, 1.0});
  }
  std::string text;
  auto took = std::chrono::steady_clock::duration::max();
  for (int i = 4; i <= 10; ++i) {
    rig.see(WorkerStep{0, i});
    const auto began = std::chrono::steady_clock::now();
    rig.loop.advance(1s);
    took = std::min(took, std::chrono::steady_clock::now() - began);
    text = read(rig.file);
  }
  MESSAGE(text.size() << " bytes, made and written in " << took / 1us << " us");
  CHECK(contains(text, "ddp_launch_rank_step_seconds_count{run_id=\"r\",rank=\"255\"} 2\n"));
}

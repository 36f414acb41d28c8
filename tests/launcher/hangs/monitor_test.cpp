// A group that hangs, without a process: detected, examined, stopped; and what is reported of it.
#include "tests/launcher/supervisor/rig.hpp"

#include <algorithm>
#include <chrono>

namespace {

using namespace ddp;
using namespace ddp::test;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

Options watched(int nproc) {
  Options options = options_of(nproc);
  options.hangs.limits.progress = seconds(10);
  options.hangs.on_hang = "dump {pid}";
  return options;
}

// Rank 1 reports no step after the first.
void hang(Rig& rig) {
  rig.start();
  rig.step(0, 1);
  rig.step(1, 1);
  rig.loop.advance(seconds(5));
  rig.step(0, 2);
}

}  // namespace

TEST_CASE("without a limit nothing is armed") {
  Rig rig(options_of(2));
  rig.start();
  rig.step(0, 1);
  CHECK(rig.loop.idle());
}

TEST_CASE("a hang is examined before the group is torn down") {
  Rig rig(watched(2));
  hang(rig);
  rig.loop.advance(milliseconds(5100));
  CHECK_HAS(rig.event("hang_detected"), "\"kind\":\"no_progress\"");
  CHECK(rig.workers.count("stop 0 15") == 0);  // it is being examined
  rig.loop.advance(seconds(1));
  CHECK(rig.workers.count("helper /bin/sh") == 2);
  rig.loop.advance(seconds(10));
  CHECK(rig.workers.count("stop 0 15") == 1);
  CHECK(rig.supervisor.exit_code().has_value());
  const auto events = rig.events();
  const auto at = [&](const std::string& name) {
    return std::find(events.begin(), events.end(), name) - events.begin();
  };
  CHECK(at("hang_detected") < at("hang_rank 0"));
  CHECK(at("hang_rank 0") < at("hang_rank 1"));
  CHECK(at("hang_rank 1") < at("teardown_began 1"));
  CHECK_HAS(rig.event("hang_rank"), "\"step\":2");
  CHECK_HAS(rig.console(), "--log-dir");
}

TEST_CASE("a worker's death ends the examination, and the hang stays the cause") {
  Rig rig(watched(2));
  hang(rig);
  rig.loop.advance(milliseconds(5050));
  REQUIRE_FALSE(rig.event("hang_detected").empty());
  rig.exit(0, core::Exited{1});
  CHECK_HAS(rig.event("failure"), "\"cause\":\"hang\"");
  CHECK(rig.workers.count("stop 1 15") == 1);
}

TEST_CASE("a stop request ends the examination at once") {
  Rig rig(watched(2));
  hang(rig);
  rig.loop.advance(milliseconds(5050));
  REQUIRE_FALSE(rig.event("hang_detected").empty());
  rig.request_stop(SIGTERM);
  CHECK(rig.supervisor.exit_code().has_value());
  CHECK(rig.workers.count("stop 1 15") == 1);
}

TEST_CASE("steps put a hang off, and so does a Ctrl-Z") {
  Rig rig(watched(2));
  rig.start();
  for (int step = 1; step < 10; ++step) {
    rig.step(0, step);
    rig.step(1, step);
    rig.loop.advance(seconds(9));
  }
  rig.workers.suspended = seconds(100);
  rig.supervisor.suspend();
  rig.loop.advance(seconds(50));
  CHECK(rig.event("hang_detected").empty());
  rig.loop.advance(seconds(60));
  CHECK_FALSE(rig.event("hang_detected").empty());
}

TEST_CASE("news that waits to be read when the limit is over is read first") {
  Rig rig(watched(1));
  rig.start();
  rig.step(0, 1);
  rig.loop.advance(milliseconds(10'010));  // due, and given 20 ms
  CHECK(rig.event("hang_detected").empty());
  rig.step(0, 2);
  rig.loop.advance(seconds(5));
  CHECK(rig.event("hang_detected").empty());
}

TEST_CASE("a rank that is not ready in time") {
  Options options = options_of(2);
  options.hangs.limits.ready = seconds(30);
  Rig rig(options);
  rig.start();
  rig.ready(0);
  rig.loop.advance(seconds(31));
  CHECK_HAS(rig.event("hang_detected"), "\"kind\":\"not_ready\"");
  CHECK_HAS(rig.event("hang_detected"), "\"behind\":\"1\"");
}

TEST_CASE("a straggler is named once") {
  Options options = options_of(3);
  options.hangs.straggler = {.factor = 2, .window = 5};
  Rig rig(options);
  rig.start();
  for (int step = 1; step <= 40; ++step) {
    for (int rank = 0; rank < 3; ++rank) {
      NotifyMessage message;
      message.step = step;
      message.metrics.emplace_back(std::string(kBusySeconds), rank == 2 ? 0.4 : 0.1);
      rig.supervisor.notified(rank, message);
    }
    rig.loop.advance(milliseconds(500));
  }
  const auto events = rig.events();
  CHECK(std::count(events.begin(), events.end(), "straggler 2") == 1);
  CHECK_HAS(rig.console(), "rank 2");
}

TEST_CASE("ranks are described as of the hang that is examined, not of a later one") {
  Options options = watched(2);
  options.hangs.limits.run = milliseconds(10100);  // passes while the first hang is examined
  Rig rig(options);
  hang(rig);
  rig.loop.advance(milliseconds(5050));  // rank 1 has made no progress for 10 s
  rig.loop.advance(seconds(10));
  const auto events = read_file(rig.dir / "events.jsonl");
  CHECK_HAS(events, "\"kind\":\"no_progress\"");
  CHECK_HAS(events, "\"kind\":\"run_timeout\"");
  CHECK_HAS(events, "\"rank\":1,\"step\":1,\"phase\":\"\",\"ready\":false,\"behind\":true");
}

// --check: the user's own check of each rank before each attempt.
#include "tests/e2e/launch.hpp"

#include <algorithm>
#include <csignal>
#include <map>

using namespace ddp::test;

namespace {

Words check(const std::string& command) { return {"--nproc", "2", "--check", command}; }

}  // namespace

TEST_CASE("a check that passes runs once a rank with its environment, and leaves nothing") {
  const Scene scene;
  const auto run = scene.run(
      check("echo $LOCAL_RANK $WORLD_SIZE [$NOTIFY_SOCKET$MASTER_PORT] >> seen; sleep 1000 &"),
      {"echo", "here"});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  CHECK(by_rank(run.out)[1] == Words{"here"});
  auto seen = lines_of(read_file(scene.path("seen")));
  std::sort(seen.begin(), seen.end());
  CHECK(seen == Words{"0 2 []", "1 2 []"});
}

TEST_CASE("a warning is shown, and the launch goes on") {
  const Scene scene;
  const auto run = scene.run(check("[ $RANK = 0 ] || { echo slow disk; exit 10; }"), {"true"});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err ==
        "ddp-launch: the check of rank 1 exited with code 10: a warning\n    slow disk\n");
}

TEST_CASE("a check that refuses, dies or exits with another code ends the run with 71") {
  for (const auto& [end, how] :
       std::map<std::string, std::string>{{"exit 30", "exited with code 30"},
                                          {"exit 1", "exited with code 1"},
                                          {"kill -9 $$", "was killed by SIGKILL"}}) {
    const Scene scene;
    const auto run = scene.run(check("[ $RANK = 0 ] && sleep 1000; echo no device >&2; " + end) +
                                   Words{"--log-dir", scene.path("logs"), "--run-id", "r"},
                               {"touch", scene.path("started")});
    CHECK(run.status == Status{.code = 71});
    CHECK(run.err ==
          "ddp-launch: the check of rank 1 " + how +
              ": it refuses the start\n    no device\n"
              "ddp-launch: the check of rank 1 did not pass; attempt 0 is not started\n");
    CHECK_FALSE(std::filesystem::exists(scene.path("started")));
    const std::string events = read_file(scene.path("logs/r/events.jsonl"));
    CHECK(contains(events, "\"event\":\"check\",\"gen\":0,\"rank\":1,\"outcome\":\"refuse\""));
    CHECK(contains(events, "\"event\":\"check\",\"gen\":0,\"rank\":0,\"outcome\":\"stopped\""));
    CHECK_FALSE(contains(events, "generation_began"));
  }
}

TEST_CASE("a check that takes too long refuses") {
  const Scene scene;
  const auto run =
      scene.run(check("[ $RANK = 0 ] || sleep 1000") + Words{"--check-timeout", "300ms"},
                {"touch", scene.path("started")});
  CHECK(run.status == Status{.code = 71});
  CHECK(contains(run.err,
                 "ddp-launch: the check of rank 1 took longer than --check-timeout; attempt 0 is "
                 "not started\n"));
  CHECK_FALSE(std::filesystem::exists(scene.path("started")));
}

TEST_CASE("a check is tried again when it asks, for its rank alone and not without end") {
  const Words soon{"--check-delay", "10ms", "--check-retries", "2"};
  {
    const Scene scene;
    const auto run = scene.run(
        check("echo . >> $RANK; [ $RANK = 0 ] || [ $(wc -l < $RANK) = 3 ] || exit 20") + soon,
        {"true"});
    CHECK(run.status == Status{.code = 0});
    CHECK(lines_of(run.err).size() == 2);
    CHECK(lines_of(read_file(scene.path("0"))).size() == 1);
    CHECK(lines_of(read_file(scene.path("1"))).size() == 3);
  }
  const Scene scene;
  const auto run = scene.run(check("echo . >> $RANK; [ $RANK = 0 ] || exit 20") + soon, {"true"});
  CHECK(run.status == Status{.code = 71});
  CHECK(lines_of(read_file(scene.path("1"))).size() == 3);
}

TEST_CASE("each attempt is checked, and a refusal before a restart ends the run") {
  const Scene scene;
  const auto run = scene.run(check("[ $TORCHELASTIC_RESTART_COUNT = 0 ] || exit 30") +
                                 Words{"--max-restarts", "3"} + kRestartAtOnce,
                             {"sh", "-c", "echo . >> ran; exit 3"});
  CHECK(run.status == Status{.code = 71});
  CHECK(contains(run.err, "; attempt 1 is not started\n"));
}

TEST_CASE("a stop request during the checks ends them at once") {
  for (const char* flag : {"60s", "200ms"}) {
    const bool waits = std::string(flag) == "200ms";  // for a retry
    const Scene scene;
    Process launch = scene.launch(
        check(waits ? "exit 20" : "echo $$ > pid.$RANK; mv pid.$RANK there.$RANK; sleep 1000") +
            Words{"--check-delay", "1000s"},
        {"touch", scene.path("started")});
    if (waits) {
      launch.until_err("tried again");
      launch.until_err("tried again");
    } else {
      const Deadline deadline;
      while (!std::filesystem::exists(scene.path("there.0")) && !deadline.passed()) {
      }
    }
    launch.send_signal(SIGTERM);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 128 + SIGTERM});
    CHECK(contains(run.err,
                   "ddp-launch: stopped by SIGTERM while the checks ran; attempt 0 is "
                   "not started\n"));
    CHECK_FALSE(std::filesystem::exists(scene.path("started")));
  }
}

TEST_CASE("--timeout counts while the checks run") {
  const Scene scene;
  const auto run = scene.run(check("sleep 1000") + Words{"--timeout", "300ms"}, {"true"});
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, "was up while the checks ran"));
}

TEST_CASE("without --check none runs; a check of nothing is refused") {
  const Scene scene;
  CHECK(scene.run({"--check-timeout", "1s"}, {"true"}).status == Status{.code = 0});
  CHECK(scene.run({"--check", ""}, {"true"}).status == Status{.code = 2});
  CHECK(scene.run({"--check", "true", "--check-timeout", "0"}, {"true"}).status ==
        Status{.code = 2});
}

// A failure is reported in one line, within its time limit.
#include "common/env_names.hpp"
#include "tests/worker/program.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

using namespace ddp::test;

namespace {

bool one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == text.size() - 1;
}

Ended run_alone(const std::vector<std::string>& arguments, const Environment& environment = {}) {
  return Process(arguments, environment).wait();
}

}  // namespace

TEST_CASE("usage errors end with 2, others with 1, each in one line") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(500));
  struct Case {
    std::vector<std::string> arguments;
    Environment environment;
    int code;
    std::string named;
  };
  const Case cases[] = {
      {{}, {}, 2, "--data"},
      {{"--data", data, "--hidden", "0"}, {}, 2, "--hidden"},
      {{"--data", data}, {{ddp::env::kRank, "0"}}, 2, "WORLD_SIZE"},
      {{"--data", data, "--batch", "1"},
       {{ddp::env::kRank, "1"},
        {ddp::env::kWorldSize, "2"},
        {ddp::env::kMasterAddr, "127.0.0.1"},
        {ddp::env::kMasterPort, "1"}},
       2,
       "worker: rank 1: --batch is 1: expected at least 2"},
      {{"--data", folder.at("none")}, {}, 1, "No such file"},
      {{"--data", folder.at("")}, {}, 1, "directory"},
      {{"--data", folder.write("empty", "")}, {}, 1, "empty"},
      {{"--data", data, "--lr", "1000", "--grad-clip", "0", "--warmup", "0"}, {}, 1, "not finite"}};
  for (const Case& c : cases) {
    const Ended ended = run_alone(c.arguments, c.environment);
    CAPTURE(ended.err);
    CHECK(ended.code == c.code);
    CHECK(one_line(ended.err));
    CHECK(ended.err.find(c.named) != std::string::npos);
  }
}

TEST_CASE("ranks that never come are named") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(500));
  const ReservedPort port;
  const std::vector<std::string> arguments{"--data",         data, "--backend", "gloo",
                                           "--join-timeout", "2s"};
  Process zero(arguments, rank_environment(0, 4, port));
  const Ended ended = zero.wait();
  CHECK(ended.code == 1);
  CHECK(ended.err == "worker: rank 0: waited 2 s for ranks 1, 2, 3 to join\n");

  Process two(arguments, rank_environment(2, 4, port));
  const Ended lonely = two.wait();
  CHECK(lonely.code == 1);
  CHECK(lonely.err == "worker: rank 2: waited 2 s for rank 0's store at 127.0.0.1:" +
                          std::to_string(port.number()) + ": Connection refused\n");
}

TEST_CASE("a rank of the last attempt is refused") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(500));
  const ReservedPort port;
  Environment of_now = rank_environment(0, 2, port);
  of_now[ddp::env::kRestartCount] = std::to_string(1);
  const std::vector<std::string> arguments{"--data",         data, "--backend", "gloo",
                                           "--join-timeout", "60s"};
  Process zero(arguments, of_now);
  Process stale(arguments, rank_environment(1, 2, port));
  const Ended refused = stale.wait();
  CHECK(refused.code == 1);
  CHECK(refused.err.find("generation 1, not generation 0") != std::string::npos);
}

TEST_CASE("when a peer dies, the failed collective is reported at once") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(5000));
  const ReservedPort port;
  const std::vector<std::string> arguments{"--data",      data,      "--backend", "gloo",
                                           "--steps",     "1000000", "--hidden",  "64",
                                           "--log-every", "1"};
  std::vector<Process> ranks;
  for (int rank = 0; rank < 3; ++rank)
    ranks.emplace_back(arguments, rank_environment(rank, 3, port));
  ranks[0].wait_for_output("\n     10 ");
  ranks[2].signal(SIGKILL);
  for (const std::size_t rank : {std::size_t{0}, std::size_t{1}}) {
    const Ended ended = ranks[rank].wait();
    CAPTURE(ended.err);
    CHECK(ended.code == 1);
    CHECK(one_line(ended.err));
    CHECK(ended.err.find("the all-reduce of bucket") != std::string::npos);
    CHECK(ended.err.find("in step") != std::string::npos);
  }
}

TEST_CASE("when a peer hangs, the failed collective is reported after --comm-timeout") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(5000));
  const ReservedPort port;
  const std::vector<std::string> arguments{"--data",         data,      "--backend",   "gloo",
                                           "--steps",        "1000000", "--log-every", "1",
                                           "--comm-timeout", "5s"};
  std::vector<Process> ranks;
  for (int rank = 0; rank < 2; ++rank)
    ranks.emplace_back(arguments, rank_environment(rank, 2, port));
  ranks[0].wait_for_output("\n     10 ");
  ranks[1].signal(SIGSTOP);
  const Ended ended = ranks[0].wait();
  CAPTURE(ended.err);
  CHECK(ended.code == 1);
  CHECK(one_line(ended.err));
  CHECK(ended.err.find("the all-reduce of bucket") != std::string::npos);
  CHECK(ended.err.find("imed out") != std::string::npos);
}

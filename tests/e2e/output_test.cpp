// Workers' output on its way to the user: nothing torn, lost, doubled or out of order.
#include "tests/e2e/launch.hpp"

#include <signal.h>

using namespace ddp::test;

namespace {

// What `write-lines` of the helper writes for one rank.
Words expected_lines(int rank, int count) {
  Words lines;
  for (int number = 0; number < count; ++number) {
    lines.push_back(std::to_string(rank) + " " + std::to_string(number) + " " +
                    std::string(static_cast<std::size_t>(number * 7 % 120), '.') + "|");
  }
  return lines;
}

void check_all_lines(const std::string& output, int ranks, int count) {
  const auto lines = by_rank(output);
  REQUIRE(lines.size() == static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    CAPTURE(rank);
    const bool same = lines.at(rank) == expected_lines(rank, count);  // no dump of 1,000 lines
    CHECK(same);
  }
}

}  // namespace

TEST_CASE("1,000 lines of 16 ranks on both streams arrive once and in order") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "16"}, helper({"fork", "[", "ewrite-lines", "1000", "]",
                                                        "write-lines", "1000", "wait-children"}));
  CHECK(run.status == Status{.code = 0});
  check_all_lines(run.out, 16, 1000);
  check_all_lines(run.err, 16, 1000);
}

TEST_CASE("lines through one terminal arrive once and in order") {
  const Scene scene;
  auto start = scene.start({"--nproc", "8"}, helper({"write-lines", "500"}));
  start.stdio = Stdio::terminal;
  start.env["NO_COLOR"] = "1";
  Process launch(std::move(start));
  auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  std::erase(run.out, '\r');  // the terminal's
  check_all_lines(run.out, 8, 500);
}

TEST_CASE("control: a torn, lost, doubled or misplaced line is detected") {
  const Words good = expected_lines(3, 10);
  std::string text;
  for (const auto& line : good) text += "[3] " + line + "\n";
  CHECK(by_rank(text)[3] == good);
  std::string torn = text;
  torn.insert(torn.size() - 3, "[5] 5 1 .|\n");
  CHECK(by_rank(torn)[3] != good);
  CHECK(by_rank(text.substr(text.find('\n') + 1))[3] != good);
  CHECK(by_rank(text + "[3] " + good.back() + "\n")[3] != good);
}

TEST_CASE("a prefix is the global rank, padded to the width of the world") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--nnodes", "6", "--node-rank", "4", "--master-addr",
                              "127.0.0.1", "--master-port", "29511"},
                             helper({"print", "hello"}));
  const auto ranks = by_rank(run.out);
  CHECK(ranks == std::map<int, Words>{{8, {"hello"}}, {9, {"hello"}}});
  CHECK(contains(run.out, "[ 8] hello\n"));
}

TEST_CASE("bytes are unchanged, whatever they are") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "1", "--output", "raw"},
                             helper({"raw", "\xff\xfe\\0\x01\xc3\xa9\\n", "raw", "second\\n"}));
  CHECK(run.out == std::string("\xff\xfe\0\x01\xc3\xa9\nsecond\n", 14));
}

TEST_CASE("progress bars and a last line without a newline are complete") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "1"}, helper({"raw", "10%\\r", "raw", "20%\\r", "raw", "done"}));
  CHECK(run.out == "[0] 10%\r20%\rdone\n");
}

TEST_CASE("a line of many MiB arrives whole") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2"}, helper({"big-line", "9000000"}));
  CHECK(run.status == Status{.code = 0});
  const auto ranks = by_rank(run.out);
  REQUIRE(ranks.size() == 2);
  for (const int rank : {0, 1}) {
    REQUIRE(ranks.at(rank).size() == 1);
    CHECK(ranks.at(rank)[0].size() == 9000000);
  }
}

TEST_CASE("--output and --local-ranks-filter choose what the console shows") {
  const Scene scene;
  CHECK(scene.run({"--nproc", "2", "--output", "none"}, helper({"print", "hidden"})).out == "");
  CHECK(scene.run({"--nproc", "1", "--output", "raw"}, helper({"print", "bare"})).out == "bare\n");
  const auto run =
      scene.run({"--nproc", "3", "--local-ranks-filter", "0,2"}, helper({"print", "seen"}));
  CHECK(by_rank(run.out) == std::map<int, Words>{{0, {"seen"}}, {2, {"seen"}}});
}

TEST_CASE("--redirects and --tee write files in torchrun's layout") {
  const Scene scene;
  const Words steps = helper({"print", "out {RANK}", "eprint", "err {RANK}"});
  const auto redirected =
      scene.run({"--nproc", "2", "--log-dir", "logs", "--run-id", "a", "-r", "0:1,1:3"}, steps);
  CHECK(redirected.status == Status{.code = 0});
  CHECK(redirected.out == "");
  CHECK(redirected.err == "[0] err 0\n");
  CHECK(read_file(scene.path("logs/a/attempt_0/0/stdout.log")) == "out 0\n");
  CHECK(read_file(scene.path("logs/a/attempt_0/1/stdout.log")) == "out 1\n");
  CHECK(read_file(scene.path("logs/a/attempt_0/1/stderr.log")) == "err 1\n");

  const auto teed =
      scene.run({"--nproc", "2", "--log-dir", "logs", "--run-id", "b", "--tee", "3"}, steps);
  CHECK(by_rank(teed.out) == std::map<int, Words>{{0, {"out 0"}}, {1, {"out 1"}}});
  CHECK(by_rank(teed.err) == std::map<int, Words>{{0, {"err 0"}}, {1, {"err 1"}}});
  CHECK(read_file(scene.path("logs/b/attempt_0/1/stderr.log")) == "err 1\n");
}

TEST_CASE("each attempt has its own files") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "1", "--log-dir", "logs", "--run-id", "c", "-r", "3", "--max-restarts", "1"},
      helper({"print", "generation {TORCHELASTIC_RESTART_COUNT}", "exit", "3"}));
  CHECK(run.status == Status{.code = 3});
  CHECK(read_file(scene.path("logs/c/attempt_0/0/stdout.log")) == "generation 0\n");
  CHECK(read_file(scene.path("logs/c/attempt_1/0/stdout.log")) == "generation 1\n");
  CHECK(contains(run.err, "  | generation 1\n"));  // the tail is read from the file
}

TEST_CASE("a closed stdout loses the output, not the launch") {
  const Scene scene;
  Process launch = scene.launch(
      {"--nproc", "2"}, helper({"print", "up", "wait-file", scene.path("go"), "write-lines", "1000",
                                "on-rank", "1", "[", "exit", "6", "]"}));
  launch.until("up");
  launch.close_out();
  write_file(scene.path("go"), "");
  CHECK(finish(scene, launch).status == Status{.code = 6});
}

// --prefix and --timestamps: the start of a line.
#include "tests/e2e/launch.hpp"

#include <regex>

using namespace ddp::test;

namespace {

const std::string kIso = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";

// Each line of `text` is a time in this shape, a blank, and then one of `lines` in turn.
void check_timed(const std::string& text, const std::string& shape, const Words& lines) {
  const auto shown = lines_of(text);
  CAPTURE(text);
  REQUIRE(shown.size() == lines.size());
  const std::regex split("(" + shape + ") ([^\n]*)");
  std::string before;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::smatch found;
    REQUIRE(std::regex_match(shown[i], found, split));
    CHECK(found[2].str() == lines[i]);
    CHECK(found[1].str() >= before);  // compared as text: both shapes have a fixed width
    before = found[1].str();
  }
}

}  // namespace

TEST_CASE("a custom prefix appears on the console and in files") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "2", "--run-id", "r1", "--log-dir", "logs", "--tee", "3", "--prefix",
       "{run_id}/{attempt} {role} {rank}({local_rank}) of {world_size} {stream} {{}}: "},
      helper({"on-rank", "1", "[", "print", "one", "raw", "two", "]", "eprint", "wrong"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(run.out ==
        "r1/0 default 1(1) of 2 stdout {}: one\nr1/0 default 1(1) of 2 stdout {}: two\n");
  CHECK(contains(run.err, "r1/0 default 0(0) of 2 stderr {}: wrong\n"));
  // A file's last line is not completed.
  CHECK(read_file(scene.path("logs/r1/attempt_0/1/stdout.log")) + "\n" == run.out);
}

TEST_CASE("timestamps precede the prefix on the console and each line in files") {
  const Scene scene;
  const Words steps = helper({"print", "one", "raw", "10%\\r20%\\nthree\\n"});
  const auto iso = scene.run(
      {"--nproc", "1", "--run-id", "a", "--log-dir", "logs", "--tee", "1", "--timestamps", "iso"},
      steps);
  check_timed(iso.out, kIso, {"[0] one", "[0] 10%\r20%", "[0] three"});
  check_timed(read_file(scene.path("logs/a/attempt_0/0/stdout.log")), kIso,
              {"one", "10%\r20%", "three"});

  const auto elapsed = scene.run({"--nproc", "1", "--timestamps", "elapsed"}, steps);
  check_timed(elapsed.out, R"( {0,4}\d+\.\d{3})", {"[0] one", "[0] 10%\r20%", "[0] three"});
  const auto raw = scene.run({"--nproc", "1", "--timestamps", "iso", "--output", "raw"}, steps);
  check_timed(raw.out, kIso, {"one", "10%\r20%", "three"});
  const auto own = scene.run({"--nproc", "1", "--prefix", "{time} {rank}|"}, steps);
  check_timed(own.out, kIso, {"0|one", "0|10%\r20%", "0|three"});
}

TEST_CASE("a redirected stream passes through the launcher if its lines get a prefix") {
  const Scene scene;
  const Words steps = helper({"print", "one", "fds", "exit", "3"});
  const auto flags = [](const char* id) {
    return Words{"--nproc", "1", "--log-dir", "logs", "-r", "1", "--run-id", id};
  };
  const auto run = scene.run(flags("a") + Words{"--timestamps", "iso"}, steps);
  CHECK(run.status == Status{.code = 3});
  CHECK(run.out == "");
  const auto lines = lines_of(read_file(scene.path("logs/a/attempt_0/0/stdout.log")));
  REQUIRE(lines.size() == 4);
  CHECK(std::regex_match(lines[0], std::regex(kIso + " one")));
  CHECK(contains(lines[2], "fd 1 pipe:"));
  CHECK(contains(run.err, "  | one\n"));  // the tail is without the time

  // Control: without timestamps the file has the worker's bytes.
  scene.run(flags("b"), steps);
  const auto direct = lines_of(read_file(scene.path("logs/b/attempt_0/0/stdout.log")));
  REQUIRE(direct.size() == 4);
  CHECK(direct[0] == "one");
  CHECK(contains(direct[2], "fd 1 " + scene.path("logs/b/attempt_0/0/stdout.log")));
}

TEST_CASE("many lines and lines of many MiB get one prefix each") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "4", "--timestamps", "elapsed", "--log-dir", "logs",
                              "--run-id", "a", "--tee", "1"},
                             helper({"big-line", "300000", "write-lines", "2000"}));
  CHECK(run.status == Status{.code = 0});
  const std::regex begins(R"( {0,4}\d+\.\d{3} \[[0-3]\] .*)");
  const auto lines = lines_of(run.out);
  CHECK(lines.size() == 4 * 2001);
  int wrong = 0;
  for (const auto& line : lines) {
    wrong += !std::regex_match(line.substr(0, 40), begins);
    wrong += line.size() != 300000 + 14 && !line.ends_with("|");
  }
  CHECK(wrong == 0);
  for (int rank = 0; rank < 4; ++rank) {
    const auto kept =
        lines_of(read_file(scene.path("logs/a/attempt_0/" + std::to_string(rank) + "/stdout.log")));
    REQUIRE(kept.size() == 2001);
    CHECK(kept[0].size() == 300000 + 10);
    CHECK(kept[2000].substr(10).starts_with(std::to_string(rank) + " 1999 "));
  }
}

TEST_CASE("a terminal shows the whole prefix in the rank's colour") {
  const Scene scene;
  auto start = scene.start({"--nproc", "1", "--timestamps", "elapsed"}, helper({"print", "one"}));
  start.stdio = Stdio::terminal;
  Process launch(std::move(start));
  const auto run = finish(scene, launch);
  const std::regex coloured(
      "\x1b\\[36m"
      R"( {0,4}\d+\.\d{3} \[0\])"
      "\x1b\\[0m one\r\n");
  CHECK(std::regex_match(run.out, coloured));
}

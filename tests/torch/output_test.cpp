// What Python programs write: progress bars, warnings, logging and print.
#include "tests/torch/torch_launch.hpp"

using namespace ddp::test;

namespace {

// The ranks of "bar<rank>:" in the text, and whether each bar has its rank's prefix in front where
// one is expected: at the beginning of what a terminal or a reader sees as a line.
void check_bars(const std::string& text, const std::string& before, std::size_t at_least) {
  std::size_t bars = 0;
  for (auto at = text.find("bar"); at != std::string::npos; at = text.find("bar", at + 1)) {
    const std::string prefix = before + "[" + text[at + 3] + "] ";
    REQUIRE(at >= prefix.size());
    CHECK(text.substr(at - prefix.size(), prefix.size()) == prefix);
    ++bars;
  }
  CHECK(bars >= at_least);
}

}  // namespace

TEST_CASE("tqdm bars of several ranks are whole lines behind their prefix in a file") {
  const TorchScene scene;
  const auto run = scene.run_script({"--nproc", "3"}, "bars.py");
  CHECK(run.status == Status{.code = 0});
  const auto ranks = by_rank(run.err);
  REQUIRE(ranks.size() == 3);
  for (const auto& [rank, lines] : ranks) {
    const std::string own = "bar" + std::to_string(rank) + ":";
    REQUIRE_FALSE(lines.empty());
    for (const auto& line : lines) {
      // Every bar between two '\r' is this rank's, from its name to its closing bracket.
      std::string bar;
      for (const char c : line + "\r") {
        if (c != '\r') {
          bar += c;
          continue;
        }
        while (bar.ends_with(' ')) bar.pop_back();  // tqdm overwrites with blanks
        const bool whole = bar.empty() || (bar.starts_with(own) && bar.ends_with("]"));
        CHECK_MESSAGE(whole, bar);
        bar.clear();
      }
    }
    CHECK(contains(lines.back(), own + " 100%"));
    CHECK(by_rank(run.out)[rank] == Words{"rank " + std::to_string(rank) + " is done"});
  }
}

TEST_CASE("on a terminal every state of a tqdm bar is behind its rank's prefix") {
  const TorchScene scene;
  auto start = scene.start({"--nproc", "3"}, scene.script("bars.py"));
  start.stdio = Stdio::terminal;
  Process launch(std::move(start));
  const auto run = finish_torch(scene, launch);
  CHECK(run.status == Status{.code = 0});
  check_bars(run.out, "", 3);
  for (const char* rank : {"0", "1", "2"}) {
    CHECK(contains(run.out, std::string("[") + rank + "] bar" + rank + ": 100%"));
    CHECK(contains(run.out, std::string("[") + rank + "] rank " + rank + " is done\r\n"));
  }
}

TEST_CASE("warnings, logging and print keep their order within each stream") {
  const TorchScene scene;
  const auto run = scene.run_script({"--nproc", "2"}, "logs.py");
  CHECK(run.status == Status{.code = 0});
  Words out, err;
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    out.push_back("out " + number);
    err.push_back("log " + number);
    err.push_back(DDP_TORCH_SCRIPTS "/logs.py:11: UserWarning: " + number);
    err.push_back("  warnings.warn(f\"{i}\")");
    err.push_back("err " + number);
  }
  for (const int rank : {0, 1}) {
    CHECK(by_rank(run.out)[rank] == out);
    CHECK(by_rank(run.err)[rank] == err);
  }
}

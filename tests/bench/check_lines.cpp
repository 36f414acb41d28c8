// Reads what came out of a launcher and counts the lines that are not as they were written.
//
// Usage: check_lines TAG WORLD COUNT < output
//   TAG    what the launcher puts before a line, with %d for the rank
//   WORLD  ranks, COUNT lines of each (lines.hpp)
// Prints "good N torn N lost N doubled N misordered N"; leaves with 1 unless all is good. Torn: is
// no line that any rank wrote behind that rank's tag. Lost: never came whole. Misordered: after a
// later line of the same rank.

#include "tests/bench/lines.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

class Checker {
 public:
  Checker(const std::string& tag, int world, long count) : count_(count) {
    const auto at = tag.find("%d");
    for (int rank = 0; rank < world; ++rank) {
      std::string own = tag;
      if (at != std::string::npos) own.replace(at, 2, std::to_string(rank));
      ranks_.push_back({own + "r" + std::to_string(rank) + " i", own, ddp::bench::LineWriter(rank),
                        std::vector<bool>(static_cast<std::size_t>(count)), -1});
    }
  }

  void line(std::string_view text) {
    for (auto& rank : ranks_) {
      if (text.substr(0, rank.head.size()) != rank.head) continue;
      const std::string_view rest = text.substr(rank.head.size());
      long index = -1;
      const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
      if (error != std::errc{} || index < 0 || index >= count_) break;
      expected_ = rank.tag;
      rank.writer.append(expected_, index);
      expected_.pop_back();
      if (text != expected_) break;
      accept(rank, index);
      return;
    }
    ++torn_;
  }

  bool report() const {
    long lost = 0;
    for (const auto& rank : ranks_) lost += std::count(rank.seen.begin(), rank.seen.end(), false);
    std::printf("good %ld torn %ld lost %ld doubled %ld misordered %ld\n", good_, torn_, lost,
                doubled_, misordered_);
    return torn_ == 0 && lost == 0 && doubled_ == 0 && misordered_ == 0;
  }

 private:
  struct Rank {
    std::string head;
    std::string tag;
    ddp::bench::LineWriter writer;
    std::vector<bool> seen;
    long last;
  };

  void accept(Rank& rank, long index) {
    const auto at = static_cast<std::size_t>(index);
    if (rank.seen[at]) {
      ++doubled_;
      return;
    }
    rank.seen[at] = true;
    ++good_;
    if (index < rank.last) ++misordered_;
    rank.last = std::max(rank.last, index);
  }

  long count_;
  std::vector<Rank> ranks_;
  std::string expected_;
  long good_ = 0;
  long torn_ = 0;
  long doubled_ = 0;
  long misordered_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: check_lines TAG WORLD COUNT < output\n");
    return 2;
  }
  Checker checker(argv[1], std::atoi(argv[2]), std::atol(argv[3]));
  std::string pending;
  std::vector<char> block(std::size_t{1} << 20);
  while (true) {
    const ssize_t size = ::read(STDIN_FILENO, block.data(), block.size());
    if (size == -1 && errno == EINTR) continue;
    if (size == -1) {
      std::perror("check_lines");
      return 2;
    }
    if (size == 0) break;
    pending.append(block.data(), static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (std::size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1)
      checker.line(std::string_view(pending).substr(begin, end - begin));
    pending.erase(0, begin);
  }
  if (!pending.empty()) checker.line(pending);
  return checker.report() ? 0 : 1;
}

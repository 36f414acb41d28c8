// The last lines of one worker, for the failure report. Allocates nothing before the first line.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::out {

class TailBuffer {
 public:
  static constexpr std::size_t kLines = 64;
  static constexpr std::size_t kBytes = std::size_t{128} * 1024;  // of all lines together
  static constexpr std::size_t kLineBytes = std::size_t{4} * 1024;

  // Adds whole lines, each with its newline. Only the last kLines of them are read.
  void add_lines(std::string_view lines);
  // Adds one line without its newline, cut at kLineBytes. Of a line that overwrites itself with
  // '\r', keeps the visible segment.
  void add_line(std::string_view line);
  void clear();

  std::vector<std::string> last(std::size_t count) const;

 private:
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;
};

// The last `count` lines of the file at `path`, each treated as in TailBuffer; empty if it cannot
// be read. Reads at most TailBuffer::kBytes from the file's end.
std::vector<std::string> tail_of_file(const std::string& path, std::size_t count);

}  // namespace ddp::out

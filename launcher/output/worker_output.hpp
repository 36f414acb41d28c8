// What the launcher remembers of one worker's output: its last lines, and when it last wrote.
#pragma once

#include "launcher/output/tail_buffer.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ddp::out {

struct WorkerOutput {
  int generation = -1;
  TailBuffer tail;  // of the streams that are read
  std::optional<std::chrono::steady_clock::time_point> last_read;
  std::vector<std::string> direct_files;  // the worker writes them itself: nothing is read

  // The last `count` lines. The files come first, stdout before stderr: they carry no order between
  // the two, and stderr, which says why, belongs at the end.
  std::vector<std::string> last_lines(std::size_t count) const;

  // When the worker last wrote something, by what was read and by the time stamps of its files.
  std::optional<std::chrono::steady_clock::time_point> last_written() const;
};

}  // namespace ddp::out

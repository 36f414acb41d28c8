#include "launcher/output/worker_output.hpp"

#include <sys/stat.h>

#include <utility>

namespace ddp::out {

std::vector<std::string> WorkerOutput::last_lines(std::size_t count) const {
  std::vector<std::string> lines;
  for (const auto& path : direct_files) {
    for (auto& line : tail_of_file(path, count)) lines.push_back(std::move(line));
  }
  for (auto& line : tail.last(count)) lines.push_back(std::move(line));
  if (lines.size() > count)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

std::optional<std::chrono::steady_clock::time_point> WorkerOutput::last_written() const {
  using Clock = std::chrono::steady_clock;
  auto last = last_read;
  for (const auto& path : direct_files) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || status.st_size == 0) continue;
    const auto since_epoch = std::chrono::seconds(status.st_mtim.tv_sec) +
                             std::chrono::nanoseconds(status.st_mtim.tv_nsec);
    const auto age = std::chrono::system_clock::now().time_since_epoch() - since_epoch;
    const auto at = Clock::now() - std::chrono::duration_cast<Clock::duration>(age);
    if (!last || at > *last) last = at;
  }
  return last;
}

}  // namespace ddp::out

#include "launcher/output/tail_buffer.hpp"

#include "launcher/os/fd.hpp"
#include "launcher/output/line_splitter.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace ddp::out {

void TailBuffer::add_lines(std::string_view lines) {
  // Searches backwards for the start of the last kLines lines: a burst costs no more than what is
  // kept.
  std::size_t start = lines.size();
  for (std::size_t i = 0; i < kLines && start > 0; ++i) {
    const std::size_t before = start < 2 ? std::string_view::npos : lines.rfind('\n', start - 2);
    start = before == std::string_view::npos ? 0 : before + 1;
  }
  lines.remove_prefix(start);
  while (!lines.empty()) {
    const std::size_t newline = lines.find('\n');
    add_line(lines.substr(0, newline));
    lines.remove_prefix(newline + 1);
  }
}

void TailBuffer::add_line(std::string_view line) {
  line = visible_segment(line);
  while (line.ends_with('\r')) line.remove_suffix(1);
  line = line.substr(0, kLineBytes);
  std::string slot;
  while (!lines_.empty() && (lines_.size() >= kLines || bytes_ + line.size() > kBytes)) {
    bytes_ -= lines_.front().size();
    slot = std::move(lines_.front());
    lines_.pop_front();
  }
  slot.assign(line);
  bytes_ += slot.size();
  lines_.push_back(std::move(slot));
}

void TailBuffer::clear() {
  lines_.clear();
  lines_.shrink_to_fit();
  bytes_ = 0;
}

std::vector<std::string> TailBuffer::last(std::size_t count) const {
  const std::size_t skip = lines_.size() - std::min(count, lines_.size());
  return {lines_.begin() + static_cast<std::ptrdiff_t>(skip), lines_.end()};
}

std::vector<std::string> tail_of_file(const std::string& path, std::size_t count) {
  const os::ScopedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string text(std::min(size, TailBuffer::kBytes), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const ssize_t n = ::pread(file.get(), text.data() + got, text.size() - got,
                              static_cast<off_t>(size - text.size() + got));
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  text.resize(got);
  if (text.empty()) return {};
  if (!text.ends_with('\n')) text += '\n';
  TailBuffer tail;
  tail.add_lines(text);
  return tail.last(count);
}

}  // namespace ddp::out

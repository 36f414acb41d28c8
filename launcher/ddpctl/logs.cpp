#include "launcher/ddpctl/logs.hpp"

#include "launcher/os/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace ddp::ctl {
namespace {

constexpr off_t kMostBytes = off_t{1} << 20;

}  // namespace

std::optional<std::vector<std::string>> last_lines(const std::string& path, int count) {
  const os::ScopedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return std::nullopt;
  const off_t from = std::max<off_t>(0, info.st_size - kMostBytes);
  std::string text(static_cast<std::size_t>(info.st_size - from), '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t more = ::pread(file.get(), text.data() + size, text.size() - size,
                                 from + static_cast<off_t>(size));
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) break;
    size += static_cast<std::size_t>(more);
  }
  text.resize(size);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  std::vector<std::string> lines;
  if (size == 0) return lines;
  for (std::size_t end = text.size(); std::ssize(lines) < count;) {
    const auto newline = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
    if (newline == std::string::npos) {
      lines.push_back(text.substr(0, end));
      break;
    }
    lines.push_back(text.substr(newline + 1, end - newline - 1));
    end = newline;
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

std::optional<std::vector<std::string>> file_tail(const Run& run, int rank, int count) {
  if (run.log_dir.empty()) return std::nullopt;
  const std::string directory = run.log_dir + "/attempt_" + std::to_string(run.generation) + "/" +
                                std::to_string(rank - run.first_rank);
  auto lines = last_lines(directory + "/stdout.log", count);
  auto errors = last_lines(directory + "/stderr.log", count);
  if (!lines || !errors) return std::nullopt;
  lines->insert(lines->end(), errors->begin(), errors->end());
  if (std::ssize(*lines) > count)
    lines->erase(lines->begin(), lines->end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

}  // namespace ddp::ctl

#include "launcher/output/prefixed_file.hpp"

#include <utility>

namespace ddp::out {
namespace {

// Text behind prefixes goes to the file in parts of about this size.
constexpr std::size_t kPartSize = std::size_t{64} * 1024;

}  // namespace

std::string PrefixedFile::write(std::string_view chunk, std::chrono::steady_clock::time_point now,
                                std::string& buffer) {
  if (!file_.is_open()) return {};
  start_.refresh(now);
  const std::string& start = start_.text();
  if (start.empty()) return file_.write(chunk);
  std::string failure;
  while (!chunk.empty() && failure.empty()) {
    buffer.clear();
    while (!chunk.empty() && buffer.size() < kPartSize) {
      const std::size_t newline = chunk.find('\n');
      const std::size_t length = newline == std::string_view::npos ? chunk.size() : newline + 1;
      if (!midline_) buffer += start;
      buffer += chunk.substr(0, length);
      midline_ = newline == std::string_view::npos;
      chunk.remove_prefix(length);
    }
    failure = file_.write(buffer);
  }
  return failure;
}

std::string PrefixedFile::close() {
  std::string loss = file_.loss();
  file_ = LogFile();
  return loss;
}

}  // namespace ddp::out

#include "worker/data/corpus.hpp"

#include "worker/base/failure.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

namespace ddp::worker {
namespace {

std::vector<std::uint8_t> read_file(const std::string& path) {
  const auto refused = [&](const std::string& why) {
    return Failure("--data: cannot read '" + path + "': " + why);
  };
  // O_NONBLOCK: a FIFO without a writer must not block open(2); it is rejected below.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw refused(std::strerror(errno));
  struct Close {
    int fd;
    ~Close() { ::close(fd); }
  } const close_at_end{fd};
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw refused(std::strerror(errno));
  if (S_ISDIR(info.st_mode)) throw refused("it is a directory; name the files in it");
  if (!S_ISREG(info.st_mode)) throw refused("it is not a regular file");
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(info.st_size));
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(fd, bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw refused(std::strerror(errno));
    if (got == 0) break;  // the file shrank meanwhile
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  if (bytes.empty()) throw refused("it is empty");
  return bytes;
}

}  // namespace

Text::Text(std::vector<std::uint8_t> bytes, std::size_t context)
    : bytes_(std::move(bytes)), context_(context) {}

std::size_t Text::samples() const {
  return bytes_.size() > context_ ? bytes_.size() - context_ : 0;
}

std::span<const std::uint8_t> Text::context_of(std::size_t sample) const {
  return {bytes_.data() + sample, context_};
}

double Text::order0_entropy() const {
  std::array<std::size_t, 256> counts{};
  for (const std::uint8_t byte : bytes_) ++counts[byte];
  double bits = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    const double p = static_cast<double>(count) / static_cast<double>(bytes_.size());
    bits -= p * std::log2(p);
  }
  return bits;
}

Corpus read_corpus(const std::vector<std::string>& files, std::size_t context, double held_out) {
  std::vector<std::uint8_t> training;
  std::vector<std::uint8_t> validation;
  for (const std::string& path : files) {
    const std::vector<std::uint8_t> bytes = read_file(path);
    const auto kept = static_cast<std::ptrdiff_t>(
        std::llround(static_cast<double>(bytes.size()) * (1 - held_out)));
    training.insert(training.end(), bytes.begin(), bytes.begin() + kept);
    validation.insert(validation.end(), bytes.begin() + kept, bytes.end());
  }
  if (training.size() <= context) {
    throw Failure("--data: " + std::to_string(training.size()) +
                  " bytes to train on, expected more than the " + std::to_string(context) +
                  " of --context");
  }
  return {Text(std::move(training), context), Text(std::move(validation), context)};
}

}  // namespace ddp::worker

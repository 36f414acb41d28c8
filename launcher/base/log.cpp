#include "launcher/base/log.hpp"

#include "common/utf8.hpp"

#include <spdlog/details/null_mutex.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace ddp::log {
namespace {

// Gives up when stderr takes nothing for a second: a message must not block the launch that it is
// about. A pipe that polls writable takes PIPE_BUF bytes at once.
void write_to_stderr(std::string_view line) {
  constexpr std::size_t kPiece = 4096;
  constexpr int kPatience = 1000;  // milliseconds
  while (!line.empty()) {
    pollfd end{STDERR_FILENO, POLLOUT, 0};
    const int ready = ::poll(&end, 1, kPatience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || (end.revents & POLLOUT) == 0) return;
    const ssize_t written = ::write(STDERR_FILENO, line.data(), std::min(line.size(), kPiece));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) line.remove_prefix(static_cast<std::size_t>(written));
  }
}

// "warning: " and so on: what is between the program's name and the message.
class TagFlag : public spdlog::custom_flag_formatter {
 public:
  explicit TagFlag(bool colour) : colour_(colour) {}
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const auto put = [&](std::string_view text) {
      out.append(text.data(), text.data() + text.size());
    };
    const char* begin = "";
    std::string_view tag;
    switch (message.level) {
      case spdlog::level::err:
      case spdlog::level::critical:
        begin = "\x1b[1;31m", tag = "error:";
        break;
      case spdlog::level::warn:
        begin = "\x1b[1;33m", tag = "warning:";
        break;
      case spdlog::level::info:
        return;
      case spdlog::level::trace:
        begin = "\x1b[2m", tag = "trace:";
        break;
      default:
        begin = "\x1b[2m", tag = "debug:";
        break;
    }
    if (colour_) put(begin);
    put(tag);
    if (colour_) put("\x1b[0m");
    put(" ");
    if (message.level > spdlog::level::debug) return;
    // Only debug messages need the time. spdlog gives it to its own time flags alone.
    const std::time_t seconds = spdlog::log_clock::to_time_t(message.time);
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(
                            message.time - spdlog::log_clock::from_time_t(seconds))
                            .count();
    std::tm local{};
    ::localtime_r(&seconds, &local);
    fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}.{:06} ", local.tm_hour, local.tm_min,
                   local.tm_sec, micros);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<TagFlag>(colour_);
  }

 private:
  bool colour_;
};

// Keeps the formatted line until write() passes it on: a Sink may log, and then no lock may be
// held.
class LineSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  std::string take() { return std::exchange(line_, {}); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    line_.assign(line.data(), line.size());
  }
  void flush_() override {}

 private:
  std::string line_;
};

struct State {
  std::mutex mutex;
  std::string program;
  Level level = Level::off;
  bool colour = false;
  Sink sink;
  std::shared_ptr<LineSink> output;  // both made with the first message
  std::unique_ptr<spdlog::logger> logger;
};

State& state() {
  static State instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

spdlog::logger& logger_of(State& s) {
  if (!s.logger) {
    s.output = std::make_shared<LineSink>();
    // Not through spdlog's registry, whose setup (console colours included) is not needed.
    s.logger = std::make_unique<spdlog::logger>(s.program, s.output);
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<TagFlag>('*', s.colour).set_pattern("%n: %*%v");
    s.logger->set_formatter(std::move(formatter));
    s.logger->set_level(to_spdlog(s.level));
  }
  return *s.logger;
}

}  // namespace

Result<Level> parse_level(std::string_view what, std::string_view text) {
  if (text == "trace") return Level::trace;
  if (text == "debug") return Level::debug;
  if (text == "info") return Level::info;
  if (text == "warn" || text == "warning") return Level::warn;
  if (text == "error") return Level::error;
  if (text == "off") return Level::off;
  return Error{std::string(what) + " is '" + std::string(text) +
               "': expected trace, debug, info, warn, error or off"};
}

void start(std::string_view program, Level level, bool colour) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.program = program;
  s.level = level;
  s.colour = colour;
  s.logger.reset();
}

bool enabled(Level level) {
  const Level threshold = state().level;
  return level != Level::off && threshold != Level::off && level >= threshold;
}

void write(Level level, std::string_view message) {
  if (!enabled(level)) return;
  // A line break inside would begin a line without the program's name.
  const std::string text = without_controls(message);
  State& s = state();
  std::unique_lock lock(s.mutex);
  logger_of(s).log(to_spdlog(level), spdlog::string_view_t(text));
  const std::string line = s.output->take();
  const Sink sink = s.sink;
  lock.unlock();
  if (sink) {
    sink(line);
  } else {
    write_to_stderr(line);
  }
}

void redirect(Sink sink) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.sink = std::move(sink);
}

}  // namespace ddp::log

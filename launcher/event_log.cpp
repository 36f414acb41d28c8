#include "launcher/event_log.hpp"

#include "common/log.hpp"
#include "common/overloaded.hpp"
#include "common/utf8.hpp"

#include <fmt/core.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace ddp {
namespace {

std::int64_t wall_clock_micros(core::TimePoint time) {
  // Both clocks are read now: a wall clock that was set meanwhile shows its present idea of that
  // moment.
  const auto age = std::chrono::steady_clock::now() - time;
  const auto wall = std::chrono::system_clock::now() - age;
  return std::chrono::duration_cast<std::chrono::microseconds>(wall.time_since_epoch()).count();
}

}  // namespace

std::string wall_time(core::TimePoint time) {
  const auto micros = wall_clock_micros(time);
  const std::time_t seconds = micros / 1'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     micros % 1'000'000);
}

std::string local_time(core::TimePoint time) {
  const auto micros = wall_clock_micros(time);
  const std::time_t seconds = micros / 1'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec,
                     micros % 1'000'000 / 1000);
}

EventLog::EventLog(std::string path, std::function<void(std::string)> report)
    : path_(std::move(path)),
      report_(std::move(report)),
      // O_NONBLOCK: a FIFO may be what somebody reads it from, and its reader may be away.
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                   0644)) {
  if (!file_.valid()) lost(std::strerror(errno));
}

void EventLog::write(core::TimePoint now, std::string_view event, std::span<const Field> fields) {
  const bool traced = log::enabled(log::Level::debug);
  if (!file_.valid() && !traced) return;
  boost::json::object line;
  line["v"] = kEventVersion;
  line["t_ns"] = now.time_since_epoch().count();
  line["wall"] = wall_time(now);
  line["event"] = boost::json::string_view(event.data(), event.size());
  for (const auto& field : fields) {
    auto& value = line[boost::json::string_view(field.name.data(), field.name.size())];
    // A path or what a program said may have any bytes, JSON has none but UTF-8.
    std::visit(Overloaded{[&](const std::string& text) { value = as_utf8(text); },
                          [&](const auto& number) { value = number; }},
               field.value);
  }
  std::string text = boost::json::serialize(line);
  if (traced) log::write(log::Level::debug, text);
  if (!file_.valid()) return;
  text += '\n';
  // One write a line: O_APPEND keeps it whole beside another writer's.
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(file_.get(), text.data() + done, text.size() - done);
    if (count == -1 && errno == EINTR) continue;
    if (count <= 0) {
      lost(std::strerror(errno));
      return;
    }
    done += static_cast<std::size_t>(count);
  }
}

void EventLog::check() {
  struct stat status {};
  if (file_.valid() && ::fstat(file_.get(), &status) == 0 && status.st_nlink == 0)
    lost("it was removed");
}

void EventLog::lost(const std::string& why) {
  file_.reset();
  if (report_) report_(path_ + ": " + why + "; events are no longer recorded");
}

}  // namespace ddp

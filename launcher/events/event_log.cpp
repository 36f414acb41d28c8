#include "launcher/events/event_log.hpp"

#include "common/overloaded.hpp"
#include "common/utf8.hpp"
#include "common/write_all.hpp"
#include "launcher/base/log.hpp"

#include <fmt/core.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace ddp {
namespace {

std::int64_t wall_clock_micros(core::TimePoint time) {
  // Both clocks are read now: if the wall clock was set meanwhile, the result is on the new
  // setting.
  const auto age = std::chrono::steady_clock::now() - time;
  const auto wall = std::chrono::system_clock::now() - age;
  return std::chrono::duration_cast<std::chrono::microseconds>(wall.time_since_epoch()).count();
}

// O_NONBLOCK: the path may be a FIFO without a reader.
constexpr int kAppend = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

os::ScopedFd open_for_append(const std::string& path) {
  return os::ScopedFd(::open(path.c_str(), kAppend | O_CREAT, 0644));
}

// "<device>:<inode>:", which the path after it must lead to. Empty if `file` is not open.
std::string identity(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return {};
  return fmt::format("{}:{}:", status.st_dev, status.st_ino);
}

// Opens the file that campaign_file() named. Not valid where the path leads to another file.
os::ScopedFd open_named(const std::string& name) {
  const auto path = name.find('/');
  if (path == std::string::npos) return {};
  os::ScopedFd file(::open(name.c_str() + path, kAppend));
  if (!file.valid() || identity(file.get()) != name.substr(0, path)) return {};
  return file;
}

// A path or text from a program may have any bytes; JSON must be UTF-8.
void add(boost::json::object& object, std::span<const EventLog::Field> fields) {
  for (const auto& field : fields) {
    auto& value = object[boost::json::string_view(field.name.data(), field.name.size())];
    std::visit(Overloaded{[&](const std::string& text) { value = as_utf8(text); },
                          [&](const auto& number) { value = number; }},
               field.value);
  }
}

}  // namespace

std::string json_object(std::span<const EventLog::Field> fields) {
  boost::json::object object;
  add(object, fields);
  return boost::json::serialize(object);
}

std::string events_path(const std::string& log_dir) {
  return log_dir.empty() ? std::string() : log_dir + "/events.jsonl";
}

std::string campaign_file(int file) {
  return identity(file) + fmt::format("/proc/{}/fd/{}", ::getpid(), file);
}

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

EventLog::EventLog(std::string path, std::function<void(std::string)> report,
                   const std::string& campaign)
    : path_(std::move(path)), report_(std::move(report)) {
  if (!campaign.empty()) campaign_ = open_named(campaign);
  if (path_.empty()) return;
  file_ = open_for_append(path_);
  if (!file_.valid()) lost(std::strerror(errno));
}

void EventLog::write(core::TimePoint now, std::string_view event, std::span<const Field> fields) {
  const bool traced = log::enabled(log::Level::debug);
  const bool for_campaign = campaign_.valid() && std::find(kForCampaign.begin(), kForCampaign.end(),
                                                           event) != kForCampaign.end();
  if (!file_.valid() && !for_campaign && !traced) return;
  boost::json::object line;
  line["v"] = kEventVersion;
  line["t_ns"] = now.time_since_epoch().count();
  line["wall"] = wall_time(now);
  line["event"] = boost::json::string_view(event.data(), event.size());
  add(line, fields);
  std::string text = boost::json::serialize(line);
  if (traced) log::write(log::Level::debug, text);
  text += '\n';
  // One write a line: O_APPEND keeps it whole next to another writer's.
  if (for_campaign) write_all(campaign_.get(), text);
  if (file_.valid() && !write_all(file_.get(), text)) lost(std::strerror(errno));
}

void EventLog::check() {
  struct stat status {};
  if (file_.valid() && ::fstat(file_.get(), &status) == 0 && status.st_nlink == 0)
    lost("it was removed");
}

void EventLog::lost(const std::string& why) {
  file_.reset();
  const std::string text = path_ + ": " + why + "; events are no longer recorded";
  write(std::chrono::steady_clock::now(), kLostEvent, {{"what", text}});
  if (report_) report_(text);
}

}  // namespace ddp

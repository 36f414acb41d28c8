// Room: launcher/events. The events.jsonl file.
// Includes: common, launcher/base, launcher/core, launcher/core/progress, launcher/core/record,
// launcher/os. Included by: launcher, launcher/campaign, launcher/ddpctl, launcher/history,
// launcher/plan, launcher/report, launcher/supervisor.
//
// Writes events.jsonl: one JSON object a line, the source of reports and traces.
//
//   {"v":1,"t_ns":<monotonic>,"wall":"2026-01-31T12:00:00.123456Z","event":"worker_exited","gen":0,"rank":3,…}
// Each line is written before the action that it announces. A disk error is reported once and ends
// the log, never the run.
//
// The events by which a campaign judges a run (kForCampaign) also go to a second file, in the
// campaign's memory (env::kCampaignEvents names it): they arrive even if the disk is full or the
// program has removed the first file.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/fd.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace ddp {

// The value of "v". It changes with every change that a reader must know.
inline constexpr int kEventVersion = 1;

inline constexpr std::string_view kExpectationEvent = "expectation";
inline constexpr std::string_view kFailureEvent = "failure";
inline constexpr std::string_view kLostEvent =
    "lost";  // a part of the output or the events is lost
inline constexpr std::array kForCampaign{kExpectationEvent, kFailureEvent, kLostEvent};

class EventLog {
 public:
  using Value = std::variant<std::int64_t, double, bool, std::string>;
  struct Field {
    std::string_view name;
    Value value;
  };

  EventLog() = default;  // writes nothing
  // Creates or appends to `path`, and appends to the file that campaign_file() named; an empty one
  // is skipped. `report` gets one line if `path` cannot be written, now or later.
  EventLog(std::string path, std::function<void(std::string)> report,
           const std::string& campaign = {});

  bool enabled() const { return file_.valid(); }
  // Reports a loss if the file was removed, which no write shows. Call from time to time.
  void check();
  // Writes one event. Fields with bytes that are no UTF-8 get U+FFFD for each.
  void write(core::TimePoint now, std::string_view event, std::span<const Field> fields);
  void write(core::TimePoint now, std::string_view event, std::initializer_list<Field> fields) {
    write(now, event, std::span(fields.begin(), fields.size()));
  }

 private:
  void lost(const std::string& why);
  std::string path_;
  std::function<void(std::string)> report_;
  os::ScopedFd file_;
  os::ScopedFd campaign_;
};

// The fields as one JSON object on one line, without a newline. Bytes that are no UTF-8 become
// U+FFFD.
std::string json_object(std::span<const EventLog::Field> fields);

// The path for a run whose logs are in `log_dir`; empty where that is.
std::string events_path(const std::string& log_dir);

// Names an open file of this process for a child's EventLog, with device and inode: where /proc
// belongs to another PID namespace, the path leads to a different file, and then nothing is
// written.
std::string campaign_file(int file);

// A point of the monotonic clock as "2026-01-31T12:00:00.123456Z".
std::string wall_time(core::TimePoint time);

// The same point as "12:00:00.123" in the user's time zone, for messages.
std::string local_time(core::TimePoint time);

}  // namespace ddp

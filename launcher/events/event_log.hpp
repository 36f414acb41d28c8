// events.jsonl: one JSON object a line, the one source from which reports, traces and verdicts are
// made.
//
//   {"v":1,"t_ns":<monotonic>,"wall":"2026-01-31T12:00:00.123456Z","event":"worker_exited","gen":0,"rank":3,…}
// Each line is written before the action that it announces. A disk that fails is reported once and
// ends the log, never the run.
//
// What a campaign judges its run by (kForCampaign) goes to a second file as well, one in the
// campaign's memory (env::kCampaignEvents names it): it arrives where the disk is full, or the
// program has removed the first.
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

// What "v" tells: a change that a reader must know of makes it another.
inline constexpr int kEventVersion = 1;

inline constexpr std::string_view kExpectationEvent = "expectation";
inline constexpr std::string_view kFailureEvent = "failure";
inline constexpr std::string_view kLostEvent = "lost";  // what: a part of the output or the events
inline constexpr std::array kForCampaign{kExpectationEvent, kFailureEvent, kLostEvent};

class EventLog {
 public:
  using Value = std::variant<std::int64_t, double, bool, std::string>;
  struct Field {
    std::string_view name;
    Value value;
  };

  EventLog() = default;  // writes nothing
  // Creates or appends to `path`, and appends to what campaign_file() named, each unless it is
  // empty. `report` gets one line if `path` cannot be written, now or later.
  EventLog(std::string path, std::function<void(std::string)> report,
           const std::string& campaign = {});

  bool enabled() const { return file_.valid(); }
  // Whether the file is still there, for writing to one that was removed succeeds: to be called now
  // and then.
  void check();
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

// Of a run whose logs are in `log_dir`; empty for none.
std::string events_path(const std::string& log_dir);

// Names an open file of this process to a child's EventLog. With device and inode: where /proc is
// another PID namespace's, the path leads to a stranger's file, and then nothing is written.
std::string campaign_file(int file);

// "2026-01-31T12:00:00.123456Z" for a point of the monotonic clock.
std::string wall_time(core::TimePoint time);

// "12:00:00.123" of the same point, in the user's time zone: for messages.
std::string local_time(core::TimePoint time);

}  // namespace ddp

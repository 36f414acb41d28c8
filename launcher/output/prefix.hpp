// What stands before a line and says whose it is and when it was read: a template such as
// "[{rank}] " (--prefix, --timestamps), parsed once, filled in once for each stream of a worker.
// Only a prefix with {time} is made anew, once for each read.
#pragma once

#include "common/result.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::out {

// What {time} shows. Both have one width as long as a run takes less than 27 hours.
enum class TimeFormat {
  iso,      // 2026-01-31T12:00:00.123Z: UTC, as RFC 3339 has it
  elapsed,  // "   12.345": seconds since the launch began
};

// A stream of a worker, as a prefix may name it.
struct PrefixFields {
  int rank = 0;
  int local_rank = 0;
  int world_size = 1;
  int attempt = 0;
  std::string_view stream = "stdout";
  std::string_view run_id;
  std::string_view role = "default";
};

class PrefixTemplate {
 public:
  static constexpr std::size_t kLongest = 256;

  PrefixTemplate() = default;    // empty: no prefix
  static PrefixTemplate rank();  // "[{rank}] "
  // The error is what to expect instead, with the fields there are.
  static Result<PrefixTemplate> parse(std::string_view text);

  bool empty() const { return pieces_.empty(); }
  bool has_time() const;
  void put_time_first();  // "{time} " before all else

 private:
  friend class Prefix;
  enum class Field { text, rank, local_rank, world_size, role, time, attempt, stream, run_id };
  struct Piece {
    Field field = Field::text;
    std::string text;  // of Field::text
  };
  static std::optional<Field> field_of(std::string_view name);
  static std::string value_of(const Piece& piece, const PrefixFields& fields);
  std::vector<Piece> pieces_;
};

// How the lines of a launch begin.
struct LineStart {
  PrefixTemplate console = PrefixTemplate::rank();
  PrefixTemplate file;  // empty: a file gets the bytes as they are
  TimeFormat time = TimeFormat::iso;
};
// Of what was asked for: `raw` shows the time alone; files begin lines with what was asked for and
// with nothing by themselves.
LineStart line_start(bool raw, std::optional<PrefixTemplate> prefix,
                     std::optional<TimeFormat> timestamps);

// A template filled in.
class Prefix {
 public:
  using Clock = std::chrono::steady_clock;

  Prefix() = default;  // nothing
  // {rank} is padded to the width of the world's largest. With `colour` the whole has the rank's
  // own colour (six that read on dark and light, in turn), the blanks at its end apart.
  Prefix(const PrefixTemplate& source, const PrefixFields& fields, TimeFormat time,
         Clock::time_point began, bool colour);

  bool timed() const { return parts_.size() > 1; }
  // From here on text() tells this moment.
  void refresh(Clock::time_point now);
  const std::string& text() const { return text_; }
  // How many columns of a terminal it takes without colour.
  int columns() const;

 private:
  std::vector<std::string> parts_;  // {time} stands between each two
  TimeFormat time_ = TimeFormat::iso;
  Clock::time_point began_;
  bool colour_ = false;
  std::string text_;
};

}  // namespace ddp::out

// The prefix of a line, which shows its rank and when it was read: a template such as "[{rank}] "
// (--prefix, --timestamps), parsed once and filled in once for each stream of a worker. Only a
// prefix with {time} is filled in again for each read.
#pragma once

#include "common/result.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::out {

// What {time} shows. The width is constant while a run takes less than 27 hours.
enum class TimeFormat {
  iso,      // 2026-01-31T12:00:00.123Z: UTC, in the form of RFC 3339
  elapsed,  // "   12.345": seconds since the launch began
};

// The values of the fields for one stream of a worker.
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
  // The error says what is allowed and lists the fields.
  static Result<PrefixTemplate> parse(std::string_view text);

  bool empty() const { return pieces_.empty(); }
  bool has_time() const;
  void put_time_first();  // puts "{time} " in front

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

// The prefixes of a launch.
struct LineStart {
  PrefixTemplate console = PrefixTemplate::rank();
  PrefixTemplate file;  // empty: files get the bytes unchanged
  TimeFormat time = TimeFormat::iso;
};
// The prefixes for the given options. `raw` shows only the time; files get a prefix only if one was
// asked for.
LineStart line_start(bool raw, std::optional<PrefixTemplate> prefix,
                     std::optional<TimeFormat> timestamps);

// A template filled in.
class Prefix {
 public:
  using Clock = std::chrono::steady_clock;

  Prefix() = default;  // nothing
  // {rank} is padded to the width of the largest rank. With `colour`, the prefix except trailing
  // blanks has the colour of the rank: one of six, in turn, that are readable on dark and light.
  Prefix(const PrefixTemplate& source, const PrefixFields& fields, TimeFormat time,
         Clock::time_point began, bool colour);

  bool timed() const { return parts_.size() > 1; }
  // Sets the time that text() shows.
  void refresh(Clock::time_point now);
  const std::string& text() const { return text_; }
  // Its width in columns of a terminal.
  int columns() const;

 private:
  std::vector<std::string> parts_;  // {time} goes between each two
  TimeFormat time_ = TimeFormat::iso;
  Clock::time_point began_;
  bool colour_ = false;
  std::string text_;
};

}  // namespace ddp::out

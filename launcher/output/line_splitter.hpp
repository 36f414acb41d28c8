// Splits a stream of bytes into whole lines and holds a line that has no newline yet.
//
// Whole lines within a chunk are returned as one range of the chunk, without a copy; only a line
// that is split over reads is copied. A line longer than kHeldLimit is not held: from then on its
// bytes are returned as they come, until its newline.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ddp::out {

// What a terminal shows of a line that overwrites itself with '\r' (a progress bar): its last
// segment that is not empty, including the "\r" of a "\r\n". Pass the line without its newline.
std::string_view visible_segment(std::string_view line);

class LineSplitter {
 public:
  static constexpr std::size_t kHeldLimit = std::size_t{64} * 1024;

  // In the order of the stream. The views are valid until the next call.
  struct Pieces {
    std::string_view long_more;   // the next bytes of a long line
    bool long_ends = false;       // long_more ends in the long line's newline
    std::string_view held_line;   // a line that was held so far, with its newline
    std::string_view lines;       // whole lines, each with its newline
    std::string_view long_start;  // the first bytes of a line that became too long to hold
  };
  Pieces feed(std::string_view chunk);

  // Whether the stream is inside a line longer than kHeldLimit.
  bool in_long_line() const { return in_long_line_; }
  // Call when the long line was completed by other means: what follows starts a new line.
  void break_long_line() { in_long_line_ = false; }

  // The bytes since the last newline.
  std::string_view held() const { return held_; }

  // Takes the held bytes up to and including the last '\r'; empty if there is none. A '\r' at the
  // very end may be half of a "\r\n": it counts only with `also_last`.
  std::string take_segments(bool also_last);
  // Takes all held bytes.
  std::string take_held();

 private:
  std::string held_;
  std::string completed_;  // what Pieces::held_line and long_start point into
  bool in_long_line_ = false;
};

}  // namespace ddp::out

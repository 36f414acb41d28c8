// Decides which stream may write to one console sink, and when: whole lines of many streams, never
// one inside another.
//
// - A line that is too long to hold has the sink to itself until its newline. The other streams
// wait:
//   they are not read, so their writers wait too. The line is broken with a newline when others
//   wait and it gets no bytes for kStall, or overwrites itself with '\r' all that time, or has
//   become longer than kLongest.
// - On a terminal, progress bars ("45%\r") share one line at the bottom, cut at the right margin.
//   It shows the lowest rank's bar, until that has not changed for kStatusHold. Every printed line
//   replaces it.
// - On a terminal, the launcher's status line is below that, the last of all. It is erased before
//   anything is printed and painted again with the same write, so that it stays on the screen.
//   While a long line has the sink, it is not there.
#pragma once

#include "launcher/output/console_sink.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::out {

class Console {
 public:
  static constexpr std::size_t kHighWater = std::size_t{128} * 1024;  // streams are not read above
  static constexpr std::size_t kNoticeLimit = std::size_t{256} * 1024;
  static constexpr std::size_t kLongest = std::size_t{64} * 1024 * 1024;
  static constexpr std::chrono::milliseconds kStall{1000};
  static constexpr std::chrono::milliseconds kStatusHold{1000};

  // Identifies a stream: the address of its object.
  using Writer = const void*;

  // `on_drained` is called from the event loop when everything is written. `on_break` is called
  // with the writer whose long line was completed before its newline came. `on_loss` is called
  // once, if the sink fails, with what happened.
  Console(boost::asio::io_context& io, int fd, std::string name, std::function<void()> on_drained,
          std::function<void(Writer)> on_break, std::function<void(std::string)> on_loss);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool is_terminal() const { return sink_.is_terminal(); }
  bool lost() const { return sink_.lost(); }
  // Whether every accepted byte is written, or the sink is lost.
  bool drained() const { return sink_.lost() || sink_.buffer().empty(); }

  const std::string& name() const { return name_; }
  // Call when the reader let a deadline pass. The console counts as given up until the reader takes
  // something again.
  void give_up() { given_up_at_ = sink_.taken(); }
  bool given_up() const { return !drained() && given_up_at_ == sink_.taken(); }

  // Whether `writer` may pass more bytes now. If not, call park(): `resume` is called once, from
  // the event loop, when it is worth asking again.
  bool admits(Writer writer) const;
  void park(std::function<void()> resume);

  // Whole lines, each behind the prefix.
  void lines(std::string_view prefix, std::string_view lines);
  // The start of a line that is too long to hold; the next calls pass the rest of it.
  void long_line(Writer writer, std::string_view prefix, std::string_view start);
  void long_line_more(std::string_view bytes, bool ends);
  // Completes `writer`'s long line if it has the sink.
  void release(Writer writer);
  // The current state of a progress bar.
  void status(Writer writer, int rank, std::string_view prefix, std::string_view text);
  // Keeps `writer`'s status line, if it is shown, on the screen: the stream has ended.
  void keep_status(Writer writer);
  // The launcher's status line, for a terminal; empty: none. Without control characters but those
  // of colours.
  void area(std::string text);
  // A line of the launcher. It waits for the end of a long line that has the sink, and is dropped
  // when more than kNoticeLimit bytes wait.
  void notice(std::string_view text);
  void flush();
  // Call last: waits for the reader until the deadline, or until it takes nothing for `patience`.
  void finish(std::chrono::steady_clock::time_point deadline, std::chrono::milliseconds patience);

 private:
  struct Timer;
  void begin_output();
  void erase();
  void paint();
  void keep_bar();
  void end_long_line();
  void make_room();
  void resume_parked();
  void watch_stall();
  void stalled();

  boost::asio::io_context& io_;
  std::unique_ptr<Timer> timer_;
  std::function<void()> on_drained_;
  std::function<void(Writer)> on_break_;
  std::vector<std::function<void()>> parked_;
  std::string held_notices_;

  Writer owner_ = nullptr;  // of the long line that has the sink
  std::size_t owner_bytes_ = 0;
  bool owner_rewinds_ = false;  // the long line holds a '\r'
  bool owner_midline_ = false;  // its last byte was no newline
  std::chrono::steady_clock::time_point owner_last_;
  std::chrono::steady_clock::time_point waiting_since_;

  Writer status_writer_ = nullptr;
  int status_rank_ = 0;
  std::chrono::steady_clock::time_point status_last_;
  std::string bar_;   // the prefix and state of its progress bar; empty: none is shown
  std::string area_;  // the launcher's status line
  // How many lines at the bottom are painted; the cursor is at the start of the first one.
  int painted_ = 0;

  std::string name_;
  std::optional<std::uint64_t> given_up_at_;  // how many bytes it had taken
  ConsoleSink sink_;
};

}  // namespace ddp::out

// Who may write to one console sink, and when: whole lines of many streams, never one inside
// another.
//
// - A line too long to be held has the sink to itself until its newline; the other streams wait
//   (they are not read, so their writers wait too). It is broken, with a newline, when others wait
//   and it says nothing for kStall, or overwrites itself with '\r' all that time, or has become
//   longer than kLongest.
// - On a terminal, progress bars ("45%\r") share one status line at the bottom, cut at the right
//   margin: that of the lowest rank, until it has not moved for kStatusHold. Whatever is printed
//   replaces it.
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

  // Who writes: one object for each stream, compared by address.
  using Writer = const void*;

  // `on_drained` is called from the event loop when the sink has caught up. `on_break` is told
  // which writer's long line was completed before its newline came.
  Console(boost::asio::io_context& io, int fd, std::string name, std::function<void()> on_drained,
          std::function<void(Writer)> on_break, std::function<void(std::string)> on_loss);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool is_terminal() const { return sink_.is_terminal(); }
  bool lost() const { return sink_.lost(); }
  // Everything accepted was written, or the sink was lost.
  bool drained() const { return sink_.lost() || sink_.buffer().empty(); }

  const std::string& name() const { return name_; }
  // Its reader let a deadline pass; given up until it takes something again.
  void give_up() { given_up_at_ = sink_.taken(); }
  bool given_up() const { return !drained() && given_up_at_ == sink_.taken(); }

  // Whether `writer` may pass more bytes now. If not, park() it: `resume` is called once, from the
  // event loop, when it is worth asking again.
  bool admits(Writer writer) const;
  void park(std::function<void()> resume);

  void lines(std::string_view prefix, std::string_view lines);
  void long_line(Writer writer, std::string_view prefix, std::string_view start);
  void long_line_more(std::string_view bytes, bool ends);
  // Completes `writer`'s long line if it has the sink.
  void release(Writer writer);
  void status(Writer writer, int rank, std::string_view prefix, std::string_view text);
  // Leaves `writer`'s status line, if it is shown, where it is: the stream is over.
  void keep_status(Writer writer);
  // The launcher's own line: after a long line that has the sink. Beyond kNoticeLimit waiting bytes
  // it is dropped.
  void notice(std::string_view text);
  void flush() { sink_.flush(); }
  // The very end: waits for the reader, until the deadline or until it takes nothing for
  // `patience`.
  void finish(std::chrono::steady_clock::time_point deadline, std::chrono::milliseconds patience);

 private:
  struct Timer;
  void begin_output();
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

  Writer owner_ = nullptr;  // has a long line on the sink
  std::size_t owner_bytes_ = 0;
  bool owner_rewinds_ = false;  // the long line holds a '\r'
  bool owner_midline_ = false;  // its last byte was no newline
  std::chrono::steady_clock::time_point owner_last_;
  std::chrono::steady_clock::time_point waiting_since_;

  Writer status_writer_ = nullptr;
  int status_rank_ = 0;
  bool status_shown_ = false;
  std::chrono::steady_clock::time_point status_last_;

  std::string name_;
  std::optional<std::uint64_t> given_up_at_;  // bytes it had taken
  ConsoleSink sink_;
};

}  // namespace ddp::out

// One stream of one worker: from its pipe through the line splitter to the console, its file, the
// tail and the observer.
//
// Where the worker may prompt for input (Where::prompts), a line that is unfinished 100 ms after it
// began is shown like a long line: it has the console until its newline, what follows is passed on
// as it comes, and it is broken where others wait. Tail and observer get it once, whole. A line
// with '\r' is a progress bar and is shown as one.
#pragma once

#include "launcher/output/console.hpp"
#include "launcher/output/line_splitter.hpp"
#include "launcher/output/prefixed_file.hpp"
#include "launcher/output/router.hpp"
#include "launcher/output/tail_buffer.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ddp::out {

// What the sources of one router share.
struct SourceContext {
  boost::asio::io_context& io;
  // The buffer of every read, used by one source at a time: memory does not grow with the ranks.
  std::unique_ptr<char[]> read_buffer;
  std::string file_text;  // a part of a read with its prefixes, for a file
  std::function<void(int, Stream, std::string_view)> observer;
  std::function<void(std::string)> file_failed;
  std::function<void()> source_ended;
  std::function<void()> has_live_line;  // a line with '\r' is unfinished
};

class Source : public std::enable_shared_from_this<Source> {
 public:
  struct Where {
    int local_rank = 0;
    int rank = 0;
    Stream stream = Stream::out;
    Prefix start;                // of its lines on the console
    Console* console = nullptr;  // null: not shown
    TailBuffer* tail = nullptr;
    std::optional<std::chrono::steady_clock::time_point>* last_read = nullptr;
    PrefixedFile file;     // may be closed: no file
    bool prompts = false;  // an unfinished line is shown too, kPromptDelay after it began
  };
  Source(SourceContext& context, os::ScopedFd pipe, Where where);

  void start() { watch(); }
  bool ended() const { return ended_; }
  int rank() const { return where_.rank; }
  int local_rank() const { return where_.local_rank; }
  Stream stream() const { return where_.stream; }
  Console::Writer id() const { return this; }

  // With true, stops reading; with false, continues.
  void hold(bool held);

  // Reads what the pipe still holds, at most its capacity, even if the console is full; then ends.
  // True if another process still has the pipe open.
  bool finish_now();
  // Ends without reading: the router is being destroyed.
  void abandon();
  // Call when the console has completed this stream's long line or prompt.
  void long_line_broken();
  // Shows the state of an unfinished progress bar. False if it must wait.
  bool show_live();

 private:
  void watch();
  void turn();
  ssize_t read_chunk();
  void take(std::string_view chunk);
  const std::string& held_start() const;
  void record(std::string_view lines);
  void deliver(std::string_view lines, const std::string& start);
  void deliver_line(std::string_view line);
  void deliver_begun(std::string_view line);
  void take_long_start(std::string_view start);
  std::string take_segments(bool also_last);
  void live_on_terminal(bool also_last);
  void watch_prompt(bool line_began);
  void wait_prompt();
  void show_prompt();
  void end();

  SourceContext& context_;
  Where where_;
  boost::asio::posix::stream_descriptor pipe_;
  LineSplitter splitter_;
  std::string last_segment_;  // the newest state of a progress bar shown on a terminal
  bool ended_ = false;
  bool held_ = false;
  bool waiting_ = false;    // for the pipe, or parked at the console
  std::string held_start_;  // the prefix when the held line began, if it has the time

  // Of the held line: how much of it is on the console, and whether more goes after that (this
  // stream has the console until the line ends or is broken).
  std::size_t shown_ = 0;
  bool prompting_ = false;
  bool rewound_ = false;  // it holds a '\r', or did
  bool unseen_ = false;   // some of it waits to be shown, since:
  std::chrono::steady_clock::time_point unseen_since_;
  std::unique_ptr<boost::asio::steady_timer> prompt_timer_;  // made for the first prompt
  bool prompt_armed_ = false;                                // or parked at the console
};

}  // namespace ddp::out

// One open file of the launcher's own (stdout or stderr) as a sink that is never waited for.
//
// What the launcher was given is shared with others (the shell, the reader's own programs), and
// O_NONBLOCK belongs to what is shared. So, by what it is:
//   pipe, terminal   opened anew through /proc/self/fd: a description of our own, non-blocking;
//   socket           sent with MSG_DONTWAIT;
//   file, /dev/null  written as it is: never waits for a reader, and keeps offset and O_APPEND;
//   refused          (the pipe of another user) poll, then writes of at most PIPE_BUF bytes, which
//                    a pipe that polls writable takes whole unless another writer is quicker.
#pragma once

#include "launcher/output/out_buffer.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::out {

class ConsoleSink {
 public:
  // `name` is "stdout" or "stderr". `on_progress` is called from the event loop after bytes that
  // had to wait were written; `on_loss` once, from within flush(), with what happened: "stdout:
  // reader closed (Broken pipe)".
  ConsoleSink(boost::asio::io_context& io, int fd, std::string name,
              std::function<void()> on_progress, std::function<void(std::string)> on_loss);
  ~ConsoleSink();
  ConsoleSink(const ConsoleSink&) = delete;
  ConsoleSink& operator=(const ConsoleSink&) = delete;

  bool is_terminal() const;
  // A write failed: what is appended from now on is thrown away by the next flush().
  bool lost() const;
  // How many bytes the sink has taken so far.
  std::uint64_t taken() const;
  OutBuffer& buffer();
  const OutBuffer& buffer() const;
  // Writes what the sink takes without waiting; the rest follows when it takes more.
  void flush();
  // Waits until the sink takes bytes and writes once more; false if it takes none in this time.
  bool write_waiting(std::chrono::milliseconds at_most);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Whether the two descriptors lead to the same file, pipe or terminal.
bool same_sink(int fd, int other_fd);

}  // namespace ddp::out

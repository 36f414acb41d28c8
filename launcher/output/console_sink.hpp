// The launcher's stdout or stderr as a sink that the launcher never waits for.
//
// The open file description is shared with other processes (the shell, for instance), and
// O_NONBLOCK belongs to the description. So, by type:
//   pipe, terminal   opened again through /proc/self/fd: a separate description, non-blocking;
//   socket           written with MSG_DONTWAIT;
//   file, /dev/null  written as it is: there is no reader to wait for, and offset and O_APPEND
//   count; refused          (another user's pipe) poll, then writes of at most PIPE_BUF bytes,
//   which a pipe that
//                    polls writable takes whole unless another writer is faster.
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
  // had to wait are written; `on_loss` once, from within flush(), with what happened: "stdout:
  // reader closed (Broken pipe)".
  ConsoleSink(boost::asio::io_context& io, int fd, std::string name,
              std::function<void()> on_progress, std::function<void(std::string)> on_loss);
  ~ConsoleSink();
  ConsoleSink(const ConsoleSink&) = delete;
  ConsoleSink& operator=(const ConsoleSink&) = delete;

  bool is_terminal() const;
  // Whether a write failed: from then on flush() discards what is appended.
  bool lost() const;
  // The number of bytes written so far.
  std::uint64_t taken() const;
  OutBuffer& buffer();
  const OutBuffer& buffer() const;
  // Writes what the sink takes without waiting. The rest follows when it takes more.
  void flush();
  // Waits until the sink takes bytes, and writes once. False if it takes none in this time.
  bool write_waiting(std::chrono::milliseconds at_most);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Whether two descriptors refer to the same file, pipe or terminal.
bool same_sink(int fd, int other_fd);

}  // namespace ddp::out

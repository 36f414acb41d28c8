// Workers' output on its way to the user: from two pipes, or two pseudo terminals, per worker to
// the launcher's own stdout and stderr, to files in torchrun's layout, or both.
//
// Promises
// - Console lines are whole: never torn, lost, doubled or out of order within one rank and stream;
//   their bytes are unchanged behind the prefix "[rank] ". A last line without newline is completed
//   with one when the stream ends.
// - Memory is bounded whatever a worker writes. A line over 64 KiB passes as it comes and has the
//   console to itself; it is broken with a newline, and goes on as a new line, only if others wait
//   and it is silent for a second or longer than 64 MiB (console.hpp).
// - Progress bars ('\r'): a log file gets every byte. Where the console is a file or pipe, a line
//   with '\r' that does not end within a second is shown so far as its last '\r', completed with a
//   newline: nothing is lost, each rank's bar is at most one line a second. On a terminal a bar is
//   live on one status line, the lowest rank's first; states already overwritten are not shown.
// - Prompts: an unfinished line of the rank that has standard input is shown after 100 ms, and
//   continued by what follows. It has the console like a line over 64 KiB.
// - The launcher's stdout and stderr are never waited for while the loop runs: when their reader
//   stops, the router stops reading the workers' pipes (which slows the workers) and supervision
//   goes on. The destructor alone waits: 5 s at most, 1 s for a reader that takes nothing.
// - A sink that fails (EPIPE, full disk) is reported once by name and dropped; the others go on.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/output/options.hpp"
#include "launcher/output/prefix.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace ddp::out {

enum class Stream { out, err };

struct RouterConfig {
  Style style = Style::prefix;
  LineStart
      line_start;  // what a line begins with; a file that gets no bytes of ours is the worker's
  std::string run_id;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  bool colour_out = false;  // the prefix on stdout in the rank's colour
  bool colour_err = false;
  int nproc = 1;
  int first_rank = 0;               // the global rank of local rank 0
  int world_size = 1;               // prefixes are padded to its width
  std::vector<StreamSet> redirect;  // by local rank: to its file instead of the console
  std::vector<StreamSet> tee;       // by local rank: to its file and the console
  std::vector<bool> shown;          // by local rank: false hides it on the console
  std::optional<int>
      stdin_rank;    // local; whose unfinished lines are shown, for they may be prompts
  bool pty = false;  // each stream that is read is a pseudo terminal, not a pipe
  std::string
      log_dir;  // D/<run_id>; empty: no files. Holds attempt_<k>/<local_rank>/{stdout,stderr}.log
};

// What a worker gets as its stdout and stderr; the caller closes them after the spawn.
struct ChildStreams {
  os::ScopedFd out;
  os::ScopedFd err;
};

class Router {
 public:
  // Takes over `stdout_fd` and `stderr_fd` for console output without changing their open file
  // description (a terminal's O_NONBLOCK is shared with the shell). `report` gets one line per sink
  // that is lost.
  Router(boost::asio::io_context& io, RouterConfig config, int stdout_fd, int stderr_fd,
         std::function<void(std::string)> report);
  ~Router();

  // Opens the pipes and files of one worker of one generation. A file that cannot be opened is
  // reported: a teed stream is still shown, a redirected one is read for the tail alone. The error
  // (no descriptor left for a pipe) names rank, stream and reason.
  Result<ChildStreams> open(int generation, int local_rank);

  // Calls `done` (from the event loop) once every pipe of the generation is at its end and
  // everything read has been written (or its sink was lost), or when `deadline` comes; then closes
  // the generation's pipes and files. What a pipe still held at the deadline is read as far as
  // memory bounds allow, then dropped with a report.
  void end_generation(std::chrono::steady_clock::time_point deadline, std::function<void()> done);

  // The last `count` lines of a worker, both streams in the order they were read; from its files
  // where it writes to them directly. Each line is cut at 4 KiB.
  std::vector<std::string> tail(int local_rank, int count) const;

  // When the worker last wrote something, if it did.
  std::optional<std::chrono::steady_clock::time_point> last_output(int local_rank) const;

  // Called with each whole line read (without its newline), before it is shown; with the first
  // 64 KiB of a longer one. Off when empty.
  void on_line(std::function<void(int local_rank, Stream, std::string_view line)> observer);

  // Stops reading a worker's pipes, so that it blocks once they are full, or reads them again.
  // False where it has none: its output goes to its files directly. end_generation() reads them
  // whatever.
  bool hold(int local_rank, bool held);

  // A message of the launcher itself on stderr, in order with the workers' lines and never inside
  // one.
  void notice(std::string_view text);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ddp::out

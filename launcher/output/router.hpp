// Room: launcher/output. Workers' output: whole lines with a prefix, to the terminal, to files, or
// to both.
// Includes: common, launcher/core, launcher/os, launcher/settings. Included by: launcher,
// launcher/campaign, launcher/cli, launcher/control, launcher/faults, launcher/hangs,
// launcher/report, launcher/status, launcher/supervisor.
//
// Routes the workers' output to the user: from two pipes, or two pseudo terminals, per worker to
// the launcher's stdout and stderr, to files in torchrun's layout, or both.
//
// Guarantees
// - Console lines are whole: never split, lost, doubled or out of order within one rank and stream,
// and
//   their bytes are unchanged after the prefix "[rank] ". A last line without a newline gets one
//   when the stream ends.
// - Memory is bounded, whatever a worker writes. A line over 64 KiB is passed on as it comes and
// has the
//   console to itself. It is broken with a newline and continues as a new line only if others wait
//   and it is silent for a second or longer than 64 MiB (console.hpp).
// - Progress bars ('\r'): a log file gets every byte. Where the console is a file or pipe, a line
// with
//   '\r' that does not end within a second is shown up to its last '\r' with a newline: nothing is
//   lost, and each rank's bar takes at most one line a second. On a terminal one status line shows
//   a live bar, the lowest rank's first; overwritten states are not shown.
// - Prompts: an unfinished line of the rank that has standard input is shown after 100 ms, and what
//   follows continues it. It has the console to itself like a line over 64 KiB.
// - The event loop never waits for the reader of stdout and stderr: when that stops reading, the
// router
//   stops reading the workers' pipes (which blocks the workers) and supervision continues. Only the
//   destructor waits: 5 s at most, 1 s for a reader that takes nothing.
// - A sink that fails (EPIPE, full disk) is reported once by name and dropped; the others continue.
#pragma once

#include "common/result.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/pty.hpp"
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
  // The prefixes. A redirected file without a prefix is written by the worker itself.
  LineStart line_start;
  std::string run_id;
  std::string role = "default";
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  bool colour_out = false;  // the prefix on stdout has the rank's colour
  bool colour_err = false;
  core::RankGroup ranks;            // prefixes are padded to the width of the world size
  std::vector<StreamSet> redirect;  // by local rank: to its file instead of the console
  std::vector<StreamSet> tee;       // by local rank: to its file and the console
  std::vector<bool> shown;          // by local rank: false hides it on the console
  std::optional<int> stdin_rank;    // local; its unfinished lines are shown: they may be prompts
  bool pty = false;                 // each stream that is read is a pseudo terminal, not a pipe
  // D/<run_id>, with attempt_<k>/<local_rank>/{stdout,stderr}.log in it. Empty: no files.
  std::string log_dir;
};

// The stdout and stderr for a worker. The caller closes them after the spawn.
struct ChildStreams {
  os::ScopedFd out;
  os::ScopedFd err;
  // What is left of ddp-launch's terminal behind the prefix, where the worker's output is shown
  // there and reaches it through pipes: the worker cannot ask.
  std::optional<os::WindowSize> terminal;
};

class Router {
 public:
  // Writes console output to `stdout_fd` and `stderr_fd` without changing their open file
  // descriptions (a terminal's O_NONBLOCK is shared with the shell). `report` gets one line for
  // each lost sink.
  Router(boost::asio::io_context& io, RouterConfig config, int stdout_fd, int stderr_fd,
         std::function<void(std::string)> report);
  ~Router();

  // Opens the pipes and files of one worker of one attempt. A file that cannot be opened is
  // reported: a teed stream is still shown, a redirected one is read only for its tail. The error
  // (no descriptor left for a pipe) names rank, stream and reason.
  Result<ChildStreams> open(int generation, int local_rank);

  // Calls `done` from the event loop once every pipe of the attempt has ended and everything
  // read is written (or its sink is lost), or at `deadline`. Then closes the attempt's pipes and
  // files. What a pipe still holds at the deadline is read as far as memory bounds allow; the rest
  // is dropped with a report.
  void end_generation(std::chrono::steady_clock::time_point deadline, std::function<void()> done);

  // The last `count` lines of a worker, both streams in the order in which they were read; from its
  // files where it writes to those directly. Each line is cut at 4 KiB.
  std::vector<std::string> tail(int local_rank, int count) const;

  // When the worker last wrote something. nullopt if it wrote nothing.
  std::optional<std::chrono::steady_clock::time_point> last_output(int local_rank) const;

  // Adds a function that is called with each whole line (without its newline) before it is shown;
  // of a longer line, with the first 64 KiB. It is called until what is returned is destroyed,
  // which it must not be from within a call.
  using LineObserver = std::function<void(int local_rank, Stream, std::string_view line)>;
  [[nodiscard]] std::shared_ptr<void> on_line(LineObserver observer);

  // Whether it reads any output of the worker, which otherwise goes directly to files or has ended.
  bool reads(int local_rank) const;

  // Stops reading a worker's pipes, so that it blocks once they are full, or reads them again.
  // False where it has none because its output goes directly to files. end_generation() reads them
  // in any case.
  bool hold(int local_rank, bool held);

  // The launcher's status line at the bottom of the terminal that stderr is; empty: none. Nothing
  // where stderr is none.
  void status(std::string text);
  // How many columns it may have; none: stderr is no terminal.
  std::optional<int> status_columns() const;

  // Prints a line on stdout, in order with the workers' lines and never inside one.
  void result(std::string_view text);
  // Prints a message of the launcher on stderr, in order with the workers' lines and never inside
  // one.
  void notice(std::string_view text);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ddp::out

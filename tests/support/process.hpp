// A program under test: started with the environment, descriptors, signals and terminal a test
// wants, its output collected, its exit awaited on a pidfd. Every wait has a deadline; one that
// passes throws Timeout, whose text shows what was awaited, the output so far and the processes
// below the test.
#pragma once

#include "tests/support/deadline.hpp"
#include "tests/support/process_tree.hpp"

#include <sys/types.h>

#include <iosfwd>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::test {

// Marks every descendant of one Process, even after its parents exited.
inline constexpr const char* kTagVariable = "DDP_TEST_TAG";

struct Timeout : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Stdio {
  pipes,    // stdin from a pipe that `send` writes and `close_stdin` ends; stdout, stderr collected
  null_in,  // stdin from /dev/null; stdout, stderr collected apart
  terminal,  // all three a new session's controlling terminal; what it shows is collected as stdout
};

struct Start {
  std::vector<std::string> argv;           // argv[0] a path, or a name found by PATH
  std::map<std::string, std::string> env;  // the whole environment, but for kTagVariable
  Stdio stdio = Stdio::null_in;
  std::string directory;        // working directory, empty: the test's own
  std::vector<int> ignored;     // signals the program starts with ignored; all others default
  std::vector<int> blocked;     // signals it starts with blocked; no other is
  std::vector<int> extra_fds;   // numbers it starts with open on /dev/null
  std::vector<int> closed_fds;  // numbers of 0-2 it starts with closed
  bool new_group = false;       // its own process group, as a shell makes for a job
};

// PATH, HOME, the sanitizers' options, and TMPDIR and XDG_RUNTIME_DIR as empty directories below
// `scratch`.
std::map<std::string, std::string> plain_environment(const std::string& scratch);

struct Status {
  int code = -1;   // of exit, or -1
  int signal = 0;  // that ended it, or 0
  bool core_dumped = false;
  friend bool operator==(const Status&, const Status&) = default;
};
std::string to_string(const Status& status);
std::ostream& operator<<(std::ostream& out, const Status& status);  // for doctest's messages

class Process {
 public:
  // Throws std::system_error when the program cannot be started.
  explicit Process(Start start);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  // Kills and reaps every process that still carries the tag, this one first.
  ~Process();

  int pid() const { return pid_; }
  const std::string& tag() const { return tag_; }
  // The output so far. With a terminal everything is in out().
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

  void send_signal(int signal) const;
  void send(std::string_view text);  // to its stdin, or as typed at its terminal
  void close_stdin();
  void hang_up();                            // closes the terminal: SIGHUP to its session
  void close_out();                          // the reader of its stdout goes away
  void stop_reading() { reading_ = false; }  // the reader of its output stays and reads no more
  void resume_reading() { reading_ = true; }

  // Reads until a line of stdout (or of stderr, with until_err) contains `text`, and returns that
  // line. Each line is matched once: the next call searches after it. Throws std::runtime_error
  // when the output ends first.
  std::string until(std::string_view text, const Deadline& deadline = Deadline());
  std::string until_err(std::string_view text, const Deadline& deadline = Deadline());

  // Reads until stdout contains `text` after what was matched so far, also within a line.
  void until_shown(std::string_view text, const Deadline& deadline = Deadline());

  // Waits for its exit and reaps it; reads its output meanwhile, and afterwards until the pipes'
  // end (so a process left behind that holds one is a Timeout). May be called again.
  Status wait(const Deadline& deadline = Deadline());
  // Waits for the exit alone, whoever holds the pipes.
  Status wait_exit(const Deadline& deadline = Deadline());
  // Waits until it has been stopped by a signal.
  void wait_stopped(const Deadline& deadline = Deadline());
  // Waits until no process that carries the tag and no descendant of this test process is left, and
  // reaps those that the test process inherited. Throws Timeout otherwise.
  void wait_nothing_left(const Deadline& deadline = Deadline());

  // Living processes that carry the tag, except this one.
  std::vector<ProcessInfo> below() const;

 private:
  struct Source {
    int fd = -1;
    std::string* text = nullptr;
  };
  bool read_some(Source& source);
  // Polls the pipes and, with `exit`, the pidfd; false if nothing came before the deadline.
  bool turn(const Deadline& deadline, bool exit);
  std::string line_with(Source& source, std::size_t& from, std::string_view text,
                        const Deadline& deadline);
  void try_reap();
  [[noreturn]] void timed_out(const std::string& awaited) const;

  int pid_ = 0;
  int pidfd_ = -1;
  int stdin_ = -1;
  std::string tag_;
  std::string name_;
  std::string out_;
  std::string err_;
  Source out_source_;
  Source err_source_;
  std::size_t out_seen_ = 0;
  std::size_t err_seen_ = 0;
  bool reading_ = true;
  std::optional<Status> status_;
};

}  // namespace ddp::test

// ddp-test-helper: one program that plays any worker. Its arguments are steps, run in order:
//
//   ddp-test-helper print "rank {RANK}" on-rank 2 [ exit 3 ] pause
//
// A list of steps is enclosed in [ and ]. In TEXT and PATH, {NAME} becomes the environment
// variable NAME; {PID}, {PPID}, {PGID} and {SID} the process's own numbers; {{ a brace.
// After the last step it exits 0. A wrong step or a failed call ends it with 99 and a line on
// stderr. Only `tick` takes time, for tests about time (a heartbeat): every other step that
// waits, waits for an event, so that no test sleeps.
//
// Output:     print TEXT | eprint TEXT | raw TEXT (\n \r \t \0 \\ understood, no newline added) |
//             write-lines N | ewrite-lines N ("<rank> <number> <padding>", whole lines, one write
//             each) big-line BYTES | stdio TEXT (a line through C's own buffer, which flushes when
//             it likes) | tty (the terminals of 0-2, "tty 1 80x24 opost=0 echo=0", and the
//             controlling one) | env NAME | env-all | fds | signals | cwd | stdin (copied to
//             stdout)
// Exit:       exit N | signal SIG (at itself, default action) | abort | segv
// Waiting:    pause (indefinitely; runs on-signal lists) | spin (indefinitely, on the CPU) |
//             wait-file PATH | wait-stdin-eof | wait-children | barrier DIRECTORY (all ranks of the
//             generation)
// Signals:    ignore SIG | block SIG | on-signal SIG [ STEPS ] | stop (SIGSTOP at itself) |
//             kill PID SIG (PID > 1)
// Processes:  fork [ STEPS ] (the parent continues once the child is ready: at `ready`, a step that
//             waits, or exits) | ready | setsid | setpgid | exec PROGRAM [ ARGUMENTS ]
// Files:      touch PATH | remove PATH | append PATH TEXT (a line) | close FD
// System:     notify TEXT (a datagram to NOTIFY_SOCKET; \n understood) | sync (BARRIER=1: waits
// until
//             the launcher has handled what was sent) | step N (X_DDP_STEP=N, then sync) |
//             steps N M (each of them in turn) | listen-master (binds and listens at
//             MASTER_ADDR:MASTER_PORT with SO_REUSEADDR) | listen-master-plain (without) | no-core
//             (no core files from here on) |
//             set-ids N (user and group, real, effective and saved)
// Hostile:    flood | eflood (lines, as fast as they are read) | flood-notify N (datagrams of
// every
//             kind to NOTIFY_SOCKET, and a line after each N) | flee (fork and exit, indefinitely)
//             | notify-as N TEXT (becomes user N once it is connected, then as notify)
// Choices:    on-rank R,R… [ STEPS ] | on-generation G,G… [ STEPS ] | repeat N [ STEPS ]
// Time:       tick N MS [ STEPS ] (N times: the steps, where {TICK} counts them and {NOW} is when
//             each began, in ms of the monotonic clock; then MS ms)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::helper {

// A line on stderr and exit 99.
[[noreturn]] void die(const std::string& what);
[[noreturn]] void die_errno(const std::string& what);  // with errno's text

// The words of a script, taken one by one.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  bool empty() const { return next_ == words_.size(); }
  std::string next(std::string_view step);  // dies where `step` lacks an argument
  long number(std::string_view step);
  int signal(std::string_view step);                     // TERM, SIGTERM or 15
  std::vector<std::string> list(std::string_view step);  // what stands between [ and ]

 private:
  std::vector<std::string> words_;
  std::size_t next_ = 0;
};

void run(const std::vector<std::string>& steps);

std::string environment(const char* name);    // dies if unset
std::string expand(std::string_view text);    // {NAME}
std::string unescape(std::string_view text);  // \n
void write_all(int fd, std::string_view text);
bool holds(const std::string& numbers, const std::string& number);  // "0,2" holds "2"

// What the steps of the same names do.
void print_environment();
void print_descriptors();
void print_signals();
void print_terminals();
void write_lines(int fd, long count);
void wait_for_files(const std::vector<std::string>& paths);
void barrier(const std::string& directory);
void set_ids(unsigned id);
void notify(const std::string& message);
void notify_as(unsigned user, std::string_view text);
void sync();
void step(long number);
void listen_master(bool reuse);  // with SO_REUSEADDR or without
[[noreturn]] void flood(int fd);
[[noreturn]] void flood_notifications(long round);
[[noreturn]] void flee();
void copy_stdin(bool show);
void fork_child(const std::vector<std::string>& steps);
void ready();  // also said by whatever waits
void on_signal(int signal, std::vector<std::string> steps);
[[noreturn]] void pause_indefinitely();

}  // namespace ddp::helper

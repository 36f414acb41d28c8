#include "tests/support/process.hpp"

#include "tests/support/spawn.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

namespace ddp::test {
namespace {

std::string next_tag() {
  static int count = 0;
  return std::to_string(getpid()) + "." + std::to_string(++count);
}

void close_fd(int& fd) {
  if (fd >= 0) close(std::exchange(fd, -1));
}

// The pids of all unreaped processes that this test process started: any other process
// directly below it was left behind by one of them.
std::vector<int>& started() {
  static std::vector<int> pids;
  return pids;
}

bool contains(const std::vector<int>& pids, int pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

// The last part of a long text, for a failure message.
std::string ending(const std::string& text) {
  constexpr std::size_t kShown = 4000;
  return text.size() <= kShown ? text : "[…]" + text.substr(text.size() - kShown);
}

}  // namespace

std::map<std::string, std::string> plain_environment(const std::string& scratch) {
  std::map<std::string, std::string> env{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"HOME", scratch},
                                         {"TMPDIR", scratch + "/tmp"},
                                         {"XDG_RUNTIME_DIR", scratch + "/run"}};
  for (const char* name : {"TMPDIR", "XDG_RUNTIME_DIR"}) {
    std::filesystem::create_directories(env[name]);
    std::filesystem::permissions(env[name], std::filesystem::perms::owner_all);
  }
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) env[name] = value;
  }
  return env;
}

std::string to_string(const Status& status) {
  if (status.signal == 0) return "exit " + std::to_string(status.code);
  const char* const name = sigabbrev_np(status.signal);
  return "signal " + (name != nullptr ? std::string(name) : std::to_string(status.signal));
}

std::ostream& operator<<(std::ostream& out, const Status& status) {
  return out << to_string(status);
}

Process::Process(Start start)
    : tag_(next_tag()), name_(start.argv.at(0)), out_source_{-1, &out_}, err_source_{-1, &err_} {
  become_subreaper();
  signal(SIGPIPE,
         SIG_IGN);  // of the test process: a program that closed its stdin is no reason to die
  const Spawned spawned = spawn(start, tag_);
  pid_ = spawned.pid;
  started().push_back(pid_);
  stdin_ = spawned.in;
  out_source_.fd = spawned.out;
  err_source_.fd = spawned.err;
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) throw std::system_error(errno, std::generic_category(), "pidfd_open");
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      stdin_(std::exchange(other.stdin_, -1)),
      tag_(std::move(other.tag_)),
      name_(std::move(other.name_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      out_source_{std::exchange(other.out_source_.fd, -1), &out_},
      err_source_{std::exchange(other.err_source_.fd, -1), &err_},
      out_seen_(other.out_seen_),
      err_seen_(other.err_seen_),
      reading_(other.reading_),
      status_(other.status_) {}

Process::~Process() {
  close_fd(stdin_);
  close_fd(out_source_.fd);
  close_fd(err_source_.fd);
  if (pid_ <= 0) return;
  if (!status_) {
    // Top down, so that no parent restarts a killed child.
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::erase(started(), pid_);
  }
  close_fd(pidfd_);
  for (auto left = below(); !left.empty(); left = below()) {
    for (const auto& process : left) {
      if (process.pid > 1) kill(process.pid, SIGKILL);
    }
    for (const auto& process : left) wait_gone(process.pid, Deadline());
    reap_adopted(started());
  }
}

void Process::send_signal(int signal) const {
  if (syscall(SYS_pidfd_send_signal, pidfd_, signal, nullptr, 0) != 0) {
    throw std::system_error(errno, std::generic_category(), "pidfd_send_signal");
  }
}

void Process::send(std::string_view text) {
  while (!text.empty()) {
    const auto written = write(stdin_, text.data(), text.size());
    if (written < 0) throw std::system_error(errno, std::generic_category(), "write to stdin");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Process::close_stdin() { close_fd(stdin_); }

void Process::hang_up() {
  close_fd(stdin_);
  close_fd(out_source_.fd);
}

void Process::close_out() { close_fd(out_source_.fd); }

bool Process::read_some(Source& source) {
  std::array<char, 65536> chunk;
  const auto got = read(source.fd, chunk.data(), chunk.size());
  if (got > 0) {
    source.text->append(chunk.data(), static_cast<std::size_t>(got));
    return true;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  close_fd(source.fd);  // end of file; a terminal whose last holder is gone returns EIO
  return false;
}

bool Process::turn(const Deadline& deadline, bool exit) {
  std::array<pollfd, 3> waiting{{{reading_ ? out_source_.fd : -1, POLLIN, 0},
                                 {reading_ ? err_source_.fd : -1, POLLIN, 0},
                                 {exit && !status_ ? pidfd_ : -1, POLLIN, 0}}};
  int ready = 0;
  do {
    ready = poll(waiting.data(), waiting.size(), deadline.remaining_ms());
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return false;
  if (waiting[0].revents != 0) read_some(out_source_);
  if (waiting[1].revents != 0) read_some(err_source_);
  if (waiting[2].revents != 0) try_reap();
  return true;
}

void Process::try_reap() {
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED | WNOHANG) != 0) {
    throw std::system_error(errno, std::generic_category(), "waitid");
  }
  if (info.si_pid == 0) return;
  std::erase(started(), pid_);
  if (info.si_code == CLD_EXITED) {
    status_ = Status{.code = info.si_status};
  } else {
    status_ = Status{.signal = info.si_status, .core_dumped = info.si_code == CLD_DUMPED};
  }
}

std::string Process::line_with(Source& source, std::size_t& from, std::string_view text,
                               const Deadline& deadline) {
  const std::string awaited = "a line with '" + std::string(text) + "'";
  while (true) {
    for (std::size_t end = 0; (end = source.text->find('\n', from)) != std::string::npos;) {
      std::string line = source.text->substr(from, end - from);
      from = end + 1;
      if (!line.empty() && line.back() == '\r') line.pop_back();  // a terminal's newline
      if (line.find(text) != std::string::npos) return line;
    }
    if (source.fd < 0) {
      throw std::runtime_error(name_ + ": its output ended before " + awaited + "; stdout:\n" +
                               ending(out_) + "\nstderr:\n" + ending(err_));
    }
    if (!turn(deadline, false)) timed_out(awaited);
  }
}

std::string Process::until(std::string_view text, const Deadline& deadline) {
  return line_with(out_source_, out_seen_, text, deadline);
}

std::string Process::until_err(std::string_view text, const Deadline& deadline) {
  return line_with(err_source_, err_seen_, text, deadline);
}

void Process::until_shown(std::string_view text, const Deadline& deadline) {
  std::size_t found = 0;
  while ((found = out_.find(text, out_seen_)) == std::string::npos) {
    if (out_source_.fd < 0)
      throw std::runtime_error(name_ + ": its output ended before '" + std::string(text) +
                               "'; stdout:\n" + ending(out_));
    if (!turn(deadline, false)) timed_out("'" + std::string(text) + "'");
  }
  out_seen_ = found + text.size();
}

Status Process::wait_exit(const Deadline& deadline) {
  while (!status_) {
    if (!turn(deadline, true)) timed_out("its exit");
  }
  return *status_;
}

Status Process::wait(const Deadline& deadline) {
  wait_exit(deadline);
  // A terminal is closed when its last holder is gone: it ends like a pipe.
  while (out_source_.fd >= 0 || err_source_.fd >= 0) {
    if (!turn(deadline, false)) {
      timed_out("the end of its output, which another process holds open");
    }
  }
  return *status_;
}

std::vector<ProcessInfo> Process::below() const {
  auto found = processes_with(kTagVariable, tag_);
  std::erase_if(found, [this](const ProcessInfo& process) { return process.pid == pid_; });
  return found;
}

void Process::wait_stopped(const Deadline& deadline) {
  siginfo_t info{};
  // No descriptor reports a stop: poll, and yield in between.
  while (info.si_pid == 0) {
    if (waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WSTOPPED | WNOHANG) != 0) {
      throw std::system_error(errno, std::generic_category(), "waitid");
    }
    if (deadline.passed()) timed_out("its stop");
    sched_yield();
  }
}

void Process::wait_nothing_left(const Deadline& deadline) {
  wait_exit(deadline);
  while (true) {
    reap_adopted(started());
    auto left = below();
    for (auto& process : descendants(getpid())) {
      // A zombie too: it exited after the reaping above, and the next turn reaps it.
      const bool adopted = process.parent == getpid() && !contains(started(), process.pid);
      if (adopted) left.push_back(std::move(process));
    }
    if (left.empty()) return;
    if (!wait_gone(left.front().pid, deadline)) timed_out("the end of what it left behind");
  }
}

void Process::timed_out(const std::string& awaited) const {
  throw Timeout(name_ + ": timed out waiting for " + awaited + "; stdout:\n" + ending(out_) +
                "\nstderr:\n" + ending(err_) +
                "\nbelow the test:" + describe(descendants(getpid())));
}

}  // namespace ddp::test

#include "launcher/keeper/keeper.hpp"

#include "common/signal_name.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/core/group/responsiveness.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/mechanism.hpp"
#include "launcher/os/proc.hpp"
#include "launcher/os/run_dir.hpp"
#include "launcher/os/signals.hpp"

#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

namespace ddp::os {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPatienceMs = 1000;

std::chrono::milliseconds responsiveness_limit() {
  return is_off(Mechanism::asking) ? std::chrono::milliseconds(500) : std::chrono::seconds(5);
}

// Drops the line when stderr takes nothing: the end of the launch must not wait for a reader.
void complain(const std::string& what) {
  const std::string line = "ddp-launch: " + what + "\n";
  pollfd writable{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&writable, 1, kPatienceMs) != 1) return;
  // A pipe that polls writable takes PIPE_BUF bytes at once.
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, line.data(), std::min<std::size_t>(line.size(), PIPE_BUF));
}

std::string reason() { return std::strerror(errno); }

void complain_of_start() { complain("cannot start the supervisor: " + reason()); }

// Opens a pidfd of the parent. Not valid where the launcher is meant to outlive its parent.
ScopedFd watch_parent() {
  struct sigaction hangup {};
  const bool nohup = ::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
  const pid_t parent = ::getppid();
  if (nohup || ::getsid(0) == ::getpid() || parent <= 1) return {};
  return ScopedFd(static_cast<int>(::syscall(SYS_pidfd_open, parent, 0)));
}

class Keeper {
 public:
  Keeper(pid_t supervisor, ScopedFd supervisor_fd, ScopedFd to_supervisor, ScopedFd signals)
      : supervisor_(supervisor),
        supervisor_fd_(std::move(supervisor_fd)),
        to_supervisor_(std::move(to_supervisor)),
        signals_(std::move(signals)),
        parent_(watch_parent()) {}

  // Returns once the supervisor has exited, with its status from waitid.
  siginfo_t watch() {
    while (true) {
      // No deadline unless a stop request is unread: the launch lasts as long as its workers.
      pollfd fds[] = {{supervisor_fd_.get(), POLLIN, 0},
                      {signals_.get(), POLLIN, 0},
                      {parent_.get(), POLLIN, 0}};
      if (::poll(fds, 3, wait_ms()) == -1 && errno != EINTR) {
        complain("cannot wait for the supervisor: " + reason());
        ::kill(supervisor_, SIGKILL);
      }
      if ((fds[1].revents & POLLIN) != 0) read_signals();
      if ((fds[2].revents & POLLIN) != 0) {
        parent_.reset();
        pass_on(SIGHUP);
        complain(
            "the parent process exited: stopping the group (nohup or setsid keeps it running)");
      }
      siginfo_t info{};
      if (::waitid(P_PID, static_cast<id_t>(supervisor_), &info, WEXITED | WNOHANG) == 0 &&
          info.si_pid == supervisor_)
        return info;
      check_responsiveness();
    }
  }

 private:
  void read_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      switch (signal) {
        case SIGCHLD:
          // As PID 1 of a container, the keeper adopts other processes' orphans too.
          reap_orphans([this](int pid) { return pid == supervisor_; });
          check_suspended();
          break;
        case SIGTSTP:
          suspend();
          break;
        case SIGCONT:
          ::kill(supervisor_, SIGCONT);
          break;
        default:
          pass_on(signal);
      }
    }
  }

  void send(int signal) {
    const auto byte = static_cast<unsigned char>(signal);
    // The pipe is non-blocking: a supervisor with 64 Ki unread signals does not need one more.
    const bool stop_request = signal != SIGTSTP && signal != SIGUSR1 && signal != SIGUSR2;
    if (::write(to_supervisor_.get(), &byte, 1) == 1)
      responsiveness_.sent(stop_request, Clock::now());
  }

  void pass_on(int signal) {
    send(signal);
    ::kill(supervisor_, SIGCONT);  // a stopped supervisor could not read it
    on_stop_ = OnStop::undo;       // and it may be about to stop for an earlier Ctrl-Z
  }

  int wait_ms() const {
    const auto check_at = responsiveness_.next_check();
    if (!check_at) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*check_at - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  // Kills a supervisor that leaves a stop request unread.
  void check_responsiveness() {
    const auto check_at = responsiveness_.next_check();
    const auto now = Clock::now();
    if (!check_at || now < *check_at) return;
    int unread = 0;
    if (::ioctl(to_supervisor_.get(), FIONREAD, &unread) == -1)
      unread = 0;  // unknown: assume it was read
    const auto process = read_process(supervisor_);
    const bool held = process && (process->state == 'T' || process->state == 't');
    if (!responsiveness_.timed_out(unread, held, now)) return;
    complain("the supervisor does not respond: it left a stop request unread for " +
             std::to_string(2 * responsiveness_limit().count()) + " ms");
    ::kill(supervisor_, SIGKILL);
  }

  void suspend() {
    // A supervisor that is already stopped must continue first to read the request.
    if (supervisor_is_stopped()) ::kill(supervisor_, SIGCONT);
    // No SIGCONT after it: that could undo the supervisor's own stop.
    send(SIGTSTP);
    on_stop_ = OnStop::follow;
  }

  // Called at each SIGCHLD: acts on a supervisor that has stopped itself, which it does once its
  // workers are stopped. Nothing waits for that, because it may be exiting instead.
  void check_suspended() {
    if (on_stop_ == OnStop::leave || !supervisor_is_stopped()) return;
    if (std::exchange(on_stop_, OnStop::leave) == OnStop::follow) ::kill(::getpid(), SIGSTOP);
    ::kill(supervisor_, SIGCONT);
  }

  bool supervisor_is_stopped() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(supervisor_), &info, WSTOPPED | WNOHANG | WNOWAIT) ==
               0 &&
           info.si_pid == supervisor_;
  }

  pid_t supervisor_;
  ScopedFd supervisor_fd_;
  ScopedFd to_supervisor_;
  ScopedFd signals_;
  ScopedFd parent_;
  core::Responsiveness responsiveness_{responsiveness_limit()};

  // What to do when the supervisor is stopped.
  enum class OnStop {
    leave,   // another process sent SIGSTOP: not ours to undo
    follow,  // it stopped on request: the shell must see the keeper stop too
    undo,    // a signal came since, which it must read
  } on_stop_ = OnStop::leave;
};

void clear(const LaunchResources& resources) {
  if (resources.cgroup) resources.cgroup->remove();
  remove_run_dir(resources.run_dir);
}

int exit_code_after(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) return end.si_status;
  complain("the supervisor was killed by " + signal_name(end.si_status) +
           "; every process of the group was killed too");
  return core::kLauncherFault;
}

}  // namespace

LaunchEnd keep(const LaunchResources& resources,
               const std::function<int(ScopedFd from_keeper, ScopedFd signals)>& supervise) {
  const std::vector<int> not_ours = own_children();
  int ends[2];
  if (!become_subreaper() || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1) {
    complain("cannot set up the supervisor: " + reason());
    clear(resources);
    return {core::kSystemRefused};
  }
  ScopedFd read_end(ends[0]);
  ScopedFd write_end(ends[1]);
  ScopedFd signals = open_signal_fd();
  const pid_t pid = signals.valid() ? ::fork() : -1;
  if (pid == -1) {
    complain_of_start();
    clear(resources);
    return {core::kSystemRefused};
  }
  if (pid == 0) {
    write_end.reset();
    signals.reset();  // before the new one: descriptors may be few
    signals = open_signal_fd();
    if (!signals.valid()) {
      complain_of_start();
      ::_exit(core::kSystemRefused);
    }
    ::prctl(PR_SET_NAME, "ddp-super");
    // A signal to the whole job (kill -9 %1, timeout -k) then kills only the keeper, and the
    // supervisor cleans up.
    if (!is_off(Mechanism::apart)) ::setpgid(0, 0);
    // When the pipe closes, the keeper is gone. A stopped supervisor must continue to see that.
    ::prctl(PR_SET_PDEATHSIG, SIGCONT);
    int code = core::kLauncherFault;
    try {
      code = supervise(std::move(read_end), std::move(signals));
    } catch (const boost::system::system_error& error) {
      const int why = error.code().value();
      if (why == EMFILE || why == ENFILE || why == ENOMEM || why == ENOSPC) {
        complain("the system refused what the supervisor needs: " + error.code().message());
        code = core::kSystemRefused;
      } else {
        complain(std::string("internal error: ") + error.what());
      }
    } catch (const std::exception& error) {
      complain(std::string("internal error: ") + error.what());
    }
    // No static destructors: the keeper runs the same ones.
    ::_exit(code);
  }
  read_end.reset();
  ScopedFd supervisor_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  Keeper keeper(pid, std::move(supervisor_fd), std::move(write_end), std::move(signals));
  const siginfo_t end = keeper.watch();

  if (end.si_code != CLD_EXITED && resources.patience.count() > 0) reap_all(resources.patience);
  if (resources.cgroup) resources.cgroup->kill();
  // With this code, the supervisor has already waited for and reported the survivors.
  const bool given_up = end.si_code == CLD_EXITED && end.si_status == core::kUnkillable;
  const auto survivors =
      kill_and_reap_all(given_up ? std::chrono::milliseconds(0) : final_wait(), not_ours);
  clear(resources);
  LaunchEnd result{exit_code_after(end), end.si_code != CLD_EXITED};
  if (given_up) return result;
  for (const auto& survivor : survivors) {
    complain("pid " + std::to_string(survivor.pid) + " (" + survivor.command +
             ") could not be killed: state " + survivor.state +
             (survivor.wait_channel.empty() ? "" : ", waiting in " + survivor.wait_channel));
    result.exit_code = core::kUnkillable;
  }
  return result;
}

}  // namespace ddp::os

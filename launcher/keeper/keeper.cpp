#include "launcher/keeper/keeper.hpp"

#include "common/signal_name.hpp"
#include "launcher/core/group/exit_code.hpp"
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

// A stderr that nobody reads costs the line, never the end of the launch.
void complain(const std::string& what) {
  const std::string line = "ddp-launch: " + what + "\n";
  pollfd writable{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&writable, 1, kPatienceMs) != 1) return;
  // A pipe that polls writable takes PIPE_BUF bytes at once.
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, line.data(), std::min<std::size_t>(line.size(), PIPE_BUF));
}

std::string reason() { return std::strerror(errno); }

// Invalid where the launcher is meant to outlive its parent.
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

  // Until the supervisor has ended; returns its raw status as waitid tells it.
  siginfo_t watch() {
    while (true) {
      // No deadline, unless a stop request is on its way: the launch lasts as long as its workers.
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
        complain("its parent has ended, so the group is stopped (nohup or setsid lets it go on)");
      }
      siginfo_t info{};
      if (::waitid(P_PID, static_cast<id_t>(supervisor_), &info, WEXITED | WNOHANG) == 0 &&
          info.si_pid == supervisor_)
        return info;
      see_whether_heard();
    }
  }

 private:
  void read_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      switch (signal) {
        case SIGCHLD:
          // As PID 1 of a container others' orphans come to us as well.
          reap_orphans([this](int pid) { return pid == supervisor_; });
          see_whether_stopped();
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

  void tell(int signal) {
    const auto byte = static_cast<unsigned char>(signal);
    // The pipe is non-blocking: a supervisor that has not read 64 Ki signals does not need one
    // more.
    const bool stop_request = signal != SIGTSTP && signal != SIGUSR1 && signal != SIGUSR2;
    if (::write(to_supervisor_.get(), &byte, 1) == 1)
      responsiveness_.sent(stop_request, Clock::now());
  }

  void pass_on(int signal) {
    tell(signal);
    ::kill(supervisor_, SIGCONT);  // a stopped one could not hear
    on_stop_ = OnStop::undo;       // and it may be about to stop, for a Ctrl-Z just before
  }

  int wait_ms() const {
    const auto look_at = responsiveness_.next_look();
    if (!look_at) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*look_at - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  void see_whether_heard() {
    const auto look_at = responsiveness_.next_look();
    const auto now = Clock::now();
    if (!look_at || now < *look_at) return;
    int unread = 0;
    if (::ioctl(to_supervisor_.get(), FIONREAD, &unread) == -1) unread = 0;  // nobody can tell
    const auto process = read_process(supervisor_);
    const bool held = process && (process->state == 'T' || process->state == 't');
    if (!responsiveness_.timed_out(unread, held, now)) return;
    complain("its supervisor does not answer: it has left a stop request unread for " +
             std::to_string(2 * responsiveness_limit().count()) + " ms");
    ::kill(supervisor_, SIGKILL);
  }

  void suspend() {
    // One that somebody has stopped already has to hear of it first.
    if (supervisor_is_stopped()) ::kill(supervisor_, SIGCONT);
    // No SIGCONT behind it: it could undo the supervisor's own stop.
    tell(SIGTSTP);
    on_stop_ = OnStop::follow;
  }

  // A SIGCHLD tells when the supervisor has stopped itself, which it does once its workers are
  // stopped. Nothing waits for that: it may be ending instead.
  void see_whether_stopped() {
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

  // What to do when the supervisor is seen stopped.
  enum class OnStop {
    leave,   // somebody's SIGSTOP is his affair
    follow,  // it was told to: the shell has to see us stop too
    undo,    // it has something to hear since
  } on_stop_ = OnStop::leave;
};

void clear(const Place& place) {
  if (place.cgroup) place.cgroup->remove();
  remove_run_dir(place.run_dir);
}

int exit_code_after(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) return end.si_status;
  complain("its supervisor was killed by " + signal_name(end.si_status) +
           "; every process of the group was killed with it");
  return core::kLauncherFault;
}

}  // namespace

Kept keep(const Place& place,
          const std::function<int(ScopedFd from_keeper, ScopedFd signals)>& supervise) {
  const std::vector<int> not_ours = own_children();
  int ends[2];
  if (!become_subreaper() || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1) {
    complain("cannot set up the supervisor: " + reason());
    clear(place);
    return {core::kSystemRefused};
  }
  ScopedFd read_end(ends[0]);
  ScopedFd write_end(ends[1]);
  ScopedFd signals = open_signal_fd();
  const pid_t pid = signals.valid() ? ::fork() : -1;
  if (pid == -1) {
    complain("cannot start the supervisor: " + reason());
    clear(place);
    return {core::kSystemRefused};
  }
  if (pid == 0) {
    write_end.reset();
    signals.reset();  // before the new one: descriptors may be few
    signals = open_signal_fd();
    if (!signals.valid()) {
      complain("cannot start the supervisor: " + reason());
      ::_exit(core::kSystemRefused);
    }
    ::prctl(PR_SET_NAME, "ddp-super");
    // What kills a whole job (kill -9 %1, timeout -k) kills the keeper alone: this one clears up.
    if (!is_off(Mechanism::apart)) ::setpgid(0, 0);
    // The pipe's end tells that the keeper is gone; one that is stopped has to wake to see it.
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
    // No static destructors: the keeper has the same ones.
    ::_exit(code);
  }
  read_end.reset();
  ScopedFd supervisor_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  Keeper keeper(pid, std::move(supervisor_fd), std::move(write_end), std::move(signals));
  const siginfo_t end = keeper.watch();

  if (end.si_code != CLD_EXITED && place.patience.count() > 0) reap_all(place.patience);
  if (place.cgroup) place.cgroup->kill();
  // What the supervisor waited for in vain it has named.
  const bool given_up = end.si_code == CLD_EXITED && end.si_status == core::kUnkillable;
  const auto survivors =
      kill_and_reap_all(given_up ? std::chrono::milliseconds(0) : final_wait(), not_ours);
  clear(place);
  Kept kept{exit_code_after(end), end.si_code != CLD_EXITED};
  if (given_up) return kept;
  for (const auto& survivor : survivors) {
    complain("pid " + std::to_string(survivor.pid) + " (" + survivor.command +
             ") could not be killed: state " + survivor.state +
             (survivor.wait_channel.empty() ? "" : ", waiting in " + survivor.wait_channel));
    kept.exit_code = core::kUnkillable;
  }
  return kept;
}

}  // namespace ddp::os

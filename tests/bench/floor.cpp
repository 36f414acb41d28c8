// The floor: the least a program can do to start N processes and see them end. fork, exec, a pidfd
// each, one poll loop, SIGTERM to the others on the first failure; no environment, no output, no
// containment, no restart. A launcher's cost is a ratio to this. Usage: floor N program
// [argument…]

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

// pidfd_send_signal: no other process can be hit, whenever the worker ends.
void terminate_all(const std::vector<pollfd>& pidfds) {
  for (const auto& pidfd : pidfds) {
    if (pidfd.fd >= 0) ::syscall(SYS_pidfd_send_signal, pidfd.fd, SIGTERM, nullptr, 0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: floor N program [argument...]\n");
    return 2;
  }
  const int count = std::atoi(argv[1]);
  std::vector<pollfd> pidfds;
  for (int i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid == -1) return 71;
    if (pid == 0) {
      // For the benchmark's own workers, which want to know who they are.
      char rank[16];
      std::snprintf(rank, sizeof rank, "%d", i);
      ::setenv("RANK", rank, 1);
      ::execv(argv[2], argv + 2);
      ::_exit(127);
    }
    pidfds.push_back({static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), POLLIN, 0});
  }
  int code = 0;
  for (int left = count; left > 0;) {
    if (::poll(pidfds.data(), pidfds.size(), -1) == -1) return 71;
    for (auto& pidfd : pidfds) {
      if ((pidfd.revents & POLLIN) == 0) continue;
      siginfo_t info{};
      ::waitid(P_PIDFD, static_cast<id_t>(pidfd.fd), &info, WEXITED);
      ::close(pidfd.fd);
      pidfd.fd = -1;
      pidfd.revents = 0;
      --left;
      if (code == 0 && (info.si_code != CLD_EXITED || info.si_status != 0)) {
        code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        terminate_all(pidfds);
      }
    }
  }
  return code;
}

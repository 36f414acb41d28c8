#include "launcher/os/spawn.hpp"

#include "launcher/os/affinity.hpp"
#include "launcher/os/clone_launcher.hpp"
#include "launcher/os/limits.hpp"
#include "launcher/os/mechanism.hpp"
#include "launcher/os/signals.hpp"

#include <boost/process/v2/stdio.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mempolicy.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

namespace ddp::os {
namespace {

namespace process = boost::process::v2;
using process::error_code;

error_code last_error() noexcept { return {errno, process::system_category()}; }

// Runs first in the child: gives it a separate descriptor table. The table that it shared with the
// launcher is copied up to `end`; without sharing (-1) there is nothing to do.
struct OwnDescriptors {
  int end = -1;

  template <class Launcher, class... Rest>
  error_code on_exec_setup(Launcher&, const Rest&...) const noexcept {
    if (end < 0) return {};
    if (::syscall(SYS_close_range, static_cast<unsigned>(end), ~0U, CLOSE_RANGE_UNSHARE) == 0)
      return {};
    return last_error();
  }
};

// on_setup runs before the clone and sets the environment. on_exec_setup runs in the child between
// clone and exec: async-signal-safe, without allocation or exceptions.
struct WorkerSetup {
  int launcher_pid;
  const std::vector<int>& ignored_signals;
  const std::optional<rlimit>& descriptors;  // the limit for the child, if it differs
  std::vector<const char*> environment;
  bool dies_with_launcher = true;
  bool traceable = false;
  std::vector<unsigned long> cpus{};          // empty: the launcher's
  std::vector<unsigned long> memory_nodes{};  // empty: the launcher's policy
  bool one_memory_node = false;

  // Process v2's own environment initializer is declared but not defined in 1.81's header-only
  // form.
  template <class... Rest>
  error_code on_setup(process::posix::default_launcher& launcher, const Rest&...) const {
    launcher.env = environment.data();
    return {};
  }

  template <class Launcher, class... Rest>
  error_code on_exec_setup(Launcher&, const Rest&...) const noexcept {
    if (::setsid() == -1) return last_error();
    if (dies_with_launcher && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == -1) return last_error();
    // If the parent died before the line above, the signal would never come.
    if (::getppid() != launcher_pid) return {ESRCH, process::system_category()};
    // Fails on a kernel without the module, where it is not needed.
    if (traceable) ::prctl(PR_SET_PTRACER, launcher_pid);
    // exec resets handlers but keeps ignored signals ignored.
    for (const int signal : ignored_signals) {
      if (::signal(signal, SIG_DFL) == SIG_ERR) return last_error();
    }
    if (!cpus.empty() &&
        ::syscall(SYS_sched_setaffinity, 0, cpus.size() * sizeof cpus[0], cpus.data()) == -1)
      return last_error();
    if (!memory_nodes.empty() && !prefer_memory_nodes()) return last_error();
    if (!close_above_stderr()) return last_error();
    if (descriptors && ::setrlimit(RLIMIT_NOFILE, &*descriptors) == -1) return last_error();
    sigset_t none;
    sigemptyset(&none);
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) == -1) return last_error();
    return {};
  }

  // Preferred, not MPOL_BIND: under that a rank whose node is full is killed, while the other nodes
  // have memory left.
  bool prefer_memory_nodes() const noexcept {
    const auto set = [this](int policy) {
      // The kernel takes one bit less than it is given.
      const unsigned long bits = memory_nodes.size() * sizeof memory_nodes[0] * CHAR_BIT + 1;
      return ::syscall(SYS_set_mempolicy, policy, memory_nodes.data(), bits) == 0;
    };
    if (set(MPOL_PREFERRED_MANY)) return true;
    if (errno != EINVAL) return false;
    // A kernel before 5.15, or none of the nodes has memory that the rank may use. Such a kernel
    // prefers one node only; of several, the one that the rank runs on comes first without a policy
    // too.
    return !one_memory_node || set(MPOL_PREFERRED) || errno == EINVAL;
  }

  static bool close_above_stderr() noexcept {
    if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return true;
    if (errno != ENOSYS && errno != EINVAL) return false;
    // A kernel before 5.11. The launcher's descriptors are close-on-exec already; inherited ones
    // may not be.
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == -1) return false;
    const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65536));
    for (int fd = 3; fd < end; ++fd) {
      const int flags = ::fcntl(fd, F_GETFD);
      if (flags != -1) ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    }
    return true;
  }
};

// Searches as execvp does: returns the first file in PATH that can be executed, or `program` itself
// when it names a path. A file that exists but cannot be executed is a better reason than "not
// found".
std::variant<std::string, core::SpawnError> find_program(const SpawnRequest& request) {
  const std::string& program = request.program;
  if (program.empty()) return core::SpawnError{core::SpawnStage::exec, ENOENT};
  if (program.find('/') != std::string::npos) return program;
  std::string_view path = "/usr/local/bin:/bin:/usr/bin";
  for (const auto& variable : request.environment) {
    if (variable.rfind("PATH=", 0) == 0) path = std::string_view(variable).substr(5);
  }
  int reason = ENOENT;
  while (true) {
    const auto colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    const std::string candidate =
        (directory.empty() ? std::string(".") : std::string(directory)) + "/" + program;
    struct stat info {};
    if (::stat(candidate.c_str(), &info) == 0) {
      if (S_ISREG(info.st_mode) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
      reason = EACCES;
    }
    if (colon == std::string_view::npos) break;
    path.remove_prefix(colon + 1);
  }
  return core::SpawnError{core::SpawnStage::exec, reason};
}

}  // namespace

Spawner::Spawner() {
  // Checks that the kernel (5.9) has the call: for a table that is not shared it copies and closes
  // nothing.
  if (::syscall(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_UNSHARE) == -1) return;
  null_ = ScopedFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  // Above 2: the launcher may have been started without one of those, and the child's go there.
  for (auto& slot : slots_) slot = ScopedFd(::fcntl(null_.get(), F_DUPFD_CLOEXEC, 3));
  if (!slots_.back().valid()) {
    for (auto& slot : slots_) slot.reset();
  }
}

// Puts the child's three descriptors into the slots. Returns the number after the last one, or -1
// with errno set.
int Spawner::hand_over(const SpawnRequest& request) const {
  const int given[] = {request.stdin_fd, request.stdout_fd, request.stderr_fd};
  int end = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (::dup3(given[i], slots_[i].get(), O_CLOEXEC) == -1) return -1;
    end = std::max(end, slots_[i].get() + 1);
  }
  return end;
}

// Resets the slots, or the launcher would keep the other end of the child's output open. A slot
// that cannot be reset (a worker has lowered the launcher's limit) is closed, and later children do
// without.
void Spawner::take_back() {
  for (auto& slot : slots_) {
    if (::dup3(null_.get(), slot.get(), O_CLOEXEC) == -1) slot.reset();
  }
}

std::variant<Child, core::SpawnError> Spawner::spawn(const SpawnRequest& request) {
  const auto program = find_program(request);
  if (const auto* error = std::get_if<core::SpawnError>(&program)) return *error;

  process::process_stdio stdio;
  OwnDescriptors own_descriptors;
  const bool shared =
      std::all_of(slots_.begin(), slots_.end(), [](const ScopedFd& slot) { return slot.valid(); });
  if (shared) {
    own_descriptors.end = hand_over(request);
    if (own_descriptors.end == -1) {
      const core::SpawnError error{core::SpawnStage::setup, errno};
      take_back();
      return error;
    }
  }
  stdio.in.fd = shared ? slots_[0].get() : request.stdin_fd;
  stdio.out.fd = shared ? slots_[1].get() : request.stdout_fd;
  stdio.err.fd = shared ? slots_[2].get() : request.stderr_fd;
  // argv[0] is the path: a worker that was found through PATH sees the full path.
  CloneLauncher launcher;
  launcher.cgroup_fd = request.cgroup_fd;
  launcher.share_descriptors = shared;
  WorkerSetup setup{::getpid(), signals_ignored_at_start(),       descriptor_limit_at_start(),
                    {},         !is_off(Mechanism::death_signal), request.traceable};
  for (const auto& variable : request.environment) setup.environment.push_back(variable.c_str());
  setup.environment.push_back(nullptr);
  setup.cpus = bit_mask(request.cpus);
  setup.memory_nodes = bit_mask(request.memory_nodes);
  setup.one_memory_node = request.memory_nodes.size() == 1;
  auto launched = launcher(std::get<std::string>(program), request.arguments, own_descriptors,
                           std::move(stdio), setup);
  if (shared) take_back();
  if (launched.pid == -1) return launched.error;
  return Child{launched.pid, std::move(launched.pidfd)};
}

}  // namespace ddp::os

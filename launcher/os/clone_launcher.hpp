// A launcher type for Boost.Process v2 with the semantics of vfork and a pidfd from the same call.
//
// Compared with the default launcher, it does not copy the launcher's page tables, needs no error
// pipe, leaves no zombie, and never runs the launcher's exit handlers in the child. The protocol:
//   parent  blocks every signal, clones with CLONE_VM | CLONE_VFORK | CLONE_PIDFD, and sleeps until
//   the
//           child calls exec or exits
//   child   runs the initializers' on_exec_setup on a separate stack, then execve; on a failure it
//           stores the stage and errno in memory that it shares with the parent, and calls _exit
//   parent  reads that record; after a failure it reaps the child at once
// Initializers run in a child that shares the launcher's memory: they must be noexcept and must not
// allocate. Heavy (Boost.Process): included by spawn.cpp alone.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/clone3.hpp"
#include "launcher/os/fd.hpp"

#include <boost/asio/detail/throw_error.hpp>  // the next header uses it without including it
#include <boost/process/v2/posix/default_launcher.hpp>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <tuple>
#include <utility>

namespace ddp::os {

// The result of a launch: a running child, or where and why it failed.
struct Launched {
  int pid = -1;
  ScopedFd pidfd;
  core::SpawnError error;  // meaningful when pid is -1
};

class CloneLauncher : public boost::process::v2::posix::default_launcher {
 public:
  int cgroup_fd =
      -1;  // the cgroup to start in; with -1, or where that refuses: the launcher's cgroup
  // The child starts with the launcher's descriptor table, not with a copy: the first initializer
  // must unshare it.
  bool share_descriptors = false;

  template <class Args, class... Inits>
  Launched operator()(const boost::process::v2::filesystem::path& executable, Args&& args,
                      Inits&&... inits) {
    namespace detail = boost::process::v2::posix::detail;
    const char* const* argv = this->build_argv_(executable, std::forward<Args>(args));
    if (const auto ec = detail::on_setup(*this, executable, argv, inits...))
      return {.error = {core::SpawnStage::setup, ec.value()}};
    void* const stack = child_stack();
    if (stack == MAP_FAILED) return {.error = {core::SpawnStage::fork, errno}};

    // What the child runs, as a closure that the C interface of clone can carry.
    auto child = [&] {
      if (const auto ec = detail::on_exec_setup(*this, executable, argv, inits...)) {
        failure_ = {core::SpawnStage::setup, ec.value()};
        return;
      }
      ::execve(executable.c_str(), const_cast<char* const*>(argv), const_cast<char* const*>(env));
      failure_ = {core::SpawnStage::exec, errno};
    };
    failure_ = {};
    // No signal handler of the launcher may run in the child while it shares the launcher's memory.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    int fd = -1;
    const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | (share_descriptors ? CLONE_FILES : 0);
    int child_pid = cgroup_fd < 0 ? -1
                                  : clone_into_cgroup(flags, stack, kStackSize, cgroup_fd,
                                                      &run<decltype(child)>, &child, &fd);
    if (child_pid == -1) {
      child_pid = ::clone(&run<decltype(child)>, static_cast<char*>(stack) + kStackSize,
                          flags | SIGCHLD, &child, &fd);
    }
    const int clone_error = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);

    if (child_pid == -1) return {.error = {core::SpawnStage::fork, clone_error}};
    ScopedFd pidfd(fd);
    if (failure_.error_number != 0) {
      while (::waitpid(child_pid, nullptr, 0) == -1 && errno == EINTR) {
      }
      return {.error = failure_};
    }
    return {.pid = child_pid, .pidfd = std::move(pidfd)};
  }

 private:
  // Large, because frames of sanitizers are; untouched pages cost nothing.
  static constexpr std::size_t kStackSize = std::size_t{512} << 10;

  // One stack serves all launches: with CLONE_VFORK only one child runs on it at a time.
  static void* child_stack() {
    static void* const stack =
        ::mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    return stack;
  }

  // Not sanitized: before a call that does not return, AddressSanitizer clears the stack that it
  // knows, and this runs on another one.
  template <class Child>
  __attribute__((no_sanitize("address"))) static int run(void* child) {
    (*static_cast<Child*>(child))();
    ::_exit(127);
  }

  core::SpawnError failure_;
};

}  // namespace ddp::os

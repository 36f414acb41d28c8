// clone3, which the C library does not offer: starts a child on a separate stack, in a cgroup, with
// a pidfd.
#pragma once

#include <cstddef>

namespace ddp::os {

// Starts a child that runs `function(argument)` on `stack`, with CLONE_INTO_CGROUP and `flags`,
// which must include CLONE_VM, CLONE_VFORK and CLONE_PIDFD. The caller sleeps until the child execs
// or exits. Returns the pid, or -1 with errno set: ENOSYS where the kernel, a seccomp filter or the
// architecture has no clone3; another error where the cgroup refuses.
int clone_into_cgroup(int flags, void* stack, std::size_t stack_size, int cgroup_fd,
                      int (*function)(void*), void* argument, int* pidfd);

}  // namespace ddp::os

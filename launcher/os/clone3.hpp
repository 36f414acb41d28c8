// clone3 as the C library does not offer it: a child on a stack of its own, in a cgroup, with a
// pidfd.
#pragma once

#include <cstddef>

namespace ddp::os {

// With CLONE_INTO_CGROUP and `flags`, which must have CLONE_VM, CLONE_VFORK and CLONE_PIDFD: the
// caller sleeps until the child, which runs `function(argument)` on `stack`, execs or exits. The
// pid, or -1 with errno set: also where the kernel, a seccomp filter or the architecture has no
// clone3 (ENOSYS), or the cgroup refuses.
int clone_into_cgroup(int flags, void* stack, std::size_t stack_size, int cgroup_fd,
                      int (*function)(void*), void* argument, int* pidfd);

}  // namespace ddp::os

#include "launcher/os/clone3.hpp"

#include <linux/sched.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace ddp::os {
namespace {

// Makes the system call and, in the child, calls `function(argument)`, which must not return. Both
// keep their registers; only the child's stack pointer differs, so the caller's frame is not
// touched.
long clone3(clone_args* args, int (*function)(void*), void* argument) {
#if defined(__x86_64__)
  long result = SYS_clone3;
  register int (*child)(void*) asm("r12") = function;
  register void* parameter asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %[parameter], %%rdi\n\t"
      "call *%[child]\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(args), "S"(sizeof *args), [child] "r"(child), [parameter] "r"(parameter)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long result asm("x0") = reinterpret_cast<long>(args);
  register long size asm("x1") = sizeof *args;
  register long number asm("x8") = SYS_clone3;
  register int (*child)(void*) asm("x19") = function;
  register void* parameter asm("x20") = argument;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, %[parameter]\n\t"
      "blr %[child]\n\t"
      "brk #1\n"
      "1:"
      : "+r"(result)
      : "r"(size), "r"(number), [child] "r"(child), [parameter] "r"(parameter)
      : "memory", "x30");
  return result;
#else
  (void)args, (void)function, (void)argument;
  return -ENOSYS;
#endif
}

}  // namespace

int clone_into_cgroup(int flags, void* stack, std::size_t stack_size, int cgroup_fd,
                      int (*function)(void*), void* argument, int* pidfd) {
  clone_args args{};
  args.flags = static_cast<decltype(args.flags)>(flags) | CLONE_INTO_CGROUP;
  args.pidfd = reinterpret_cast<std::uintptr_t>(pidfd);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(stack);
  args.stack_size = stack_size;
  args.cgroup = static_cast<decltype(args.cgroup)>(cgroup_fd);
  const long result = clone3(&args, function, argument);
  if (result >= 0) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace ddp::os

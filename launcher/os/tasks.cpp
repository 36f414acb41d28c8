#include "launcher/os/tasks.hpp"

#include "common/join.hpp"
#include "launcher/os/proc.hpp"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string_view>

namespace ddp::os {
namespace {

// The system calls in which threads commonly wait.
constexpr std::pair<long, const char*> kSystemCalls[] = {
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_connect, "connect"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_flock, "flock"},
    {SYS_fsync, "fsync"},
    {SYS_futex, "futex"},
    {SYS_io_getevents, "io_getevents"},
    {SYS_io_uring_enter, "io_uring_enter"},
    {SYS_ioctl, "ioctl"},
    {SYS_mmap, "mmap"},
    {SYS_munmap, "munmap"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_openat, "openat"},
    {SYS_ppoll, "ppoll"},
    {SYS_pselect6, "pselect6"},
    {SYS_read, "read"},
    {SYS_readv, "readv"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_restart_syscall, "restart_syscall"},
    {SYS_rt_sigsuspend, "rt_sigsuspend"},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
    {SYS_sched_yield, "sched_yield"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_sendto, "sendto"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_write, "write"},
    {SYS_writev, "writev"},
#ifdef SYS_epoll_wait  // not on newer architectures
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_pause, "pause"},
    {SYS_poll, "poll"},
    {SYS_select, "select"},
#endif
};

std::string task_file(int pid, int tid, const char* name) {
  return read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/" + name)
      .value_or("");
}

// "futex(0x7f…, 0x80)" from "202 0x7f… 0x80 … <sp> <pc>".
std::string system_call(const std::string& text) {
  std::istringstream words(text);
  long number = -1;
  if (!(words >> number)) return {};  // "running", or not allowed
  if (number < 0) return {};          // blocked outside a system call
  std::string name = "system call " + std::to_string(number);
  for (const auto& [known, its_name] : kSystemCalls) {
    if (known == number) name = its_name;
  }
  std::string arguments;
  std::string word;
  for (int i = 0; i < 6 && words >> word; ++i) append_item(arguments, word);
  return name + "(" + arguments + ")";
}

// "futex_wait_queue" from the first line "[<0>] futex_wait_queue+0x60/0x90".
std::string top_of_stack(const std::string& stack) {
  const auto begin = stack.find("] ");
  if (begin == std::string::npos) return {};
  const auto end = stack.find_first_of("+\n", begin);
  return stack.substr(begin + 2, end == std::string::npos ? end : end - begin - 2);
}

std::optional<core::ThreadSample> sample_thread(int pid, int tid) {
  const std::string stat = task_file(pid, tid, "stat");
  const auto open = stat.find('(');
  const auto close = stat.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  core::ThreadSample thread;
  thread.tid = tid;
  thread.name = stat.substr(open + 1, close - open - 1);
  // Fields 3 to 15 of proc(5): state, ten numbers, user and system time in clock ticks.
  std::istringstream fields(stat.substr(close + 1));
  std::string skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  fields >> thread.state;
  for (int i = 0; i < 10; ++i) fields >> skipped;
  if (!(fields >> user >> system)) return std::nullopt;
  const auto ticks_per_second = std::max(1L, ::sysconf(_SC_CLK_TCK));
  thread.cpu_time = core::Nanoseconds(std::chrono::seconds(1)) * (user + system) / ticks_per_second;
  if (thread.state == 'R') return thread;
  thread.system_call = system_call(task_file(pid, tid, "syscall"));
  // Each may be hidden: the kernel's function or, failing that, the system call.
  thread.wait_channel = task_file(pid, tid, "wchan");
  if (thread.wait_channel == "0") thread.wait_channel.clear();
  if (thread.wait_channel.empty()) thread.wait_channel = top_of_stack(task_file(pid, tid, "stack"));
  if (thread.wait_channel.empty())
    thread.wait_channel = thread.system_call.substr(0, thread.system_call.find('('));
  return thread;
}

}  // namespace

core::ProcessSample sample_tasks(int pid) {
  core::ProcessSample sample{std::chrono::steady_clock::now(), {}};
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
  if (!directory) return sample;
  std::vector<int> tids{pid};
  while (const dirent* entry = ::readdir(directory.get())) {
    int tid = 0;
    const std::string_view name = entry->d_name;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), tid);
    if (error == std::errc{} && tid != pid && static_cast<int>(tids.size()) < kMostThreads)
      tids.push_back(tid);
  }
  for (const int tid : tids) {
    auto thread = sample_thread(pid, tid);
    if (!thread && tid == pid) return sample;  // it has just exited
    if (thread) sample.threads.push_back(std::move(*thread));
  }
  return sample;
}

bool is_python(int pid) {
  std::array<char, 4096> target{};
  const auto size =
      ::readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), target.data(), target.size());
  if (size <= 0) return false;
  const std::string_view path(target.data(), static_cast<std::size_t>(size));
  return path.substr(path.rfind('/') + 1).starts_with("python");
}

std::string kernel_stack(int pid, int tid) { return task_file(pid, tid, "stack"); }

}  // namespace ddp::os

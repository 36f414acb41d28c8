#include "launcher/os/process_table.hpp"

#include "common/env_names.hpp"
#include "common/utf8.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/proc.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace ddp::os {
namespace {

constexpr std::size_t kCommandBytes = 80;

std::string file_of(int pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// "/usr/bin/bash" without its directories; empty where it cannot be read.
std::string executable_name(int pid) {
  std::array<char, 4096> target{};
  const auto size = ::readlink(file_of(pid, "exe").c_str(), target.data(), target.size());
  if (size <= 0) return {};
  std::string_view path(target.data(), static_cast<std::size_t>(size));
  if (const auto deleted = path.rfind(" (deleted)"); deleted != path.npos)
    path = path.substr(0, deleted);
  return std::string(path.substr(path.rfind('/') + 1));
}

// The hexadecimal mask of a field of /proc/<pid>/status, such as "\nSigCgt:\t".
std::uint64_t mask_of(std::string_view status, std::string_view field) {
  const auto at = status.find(field);
  std::uint64_t mask = 0;
  if (at != status.npos)
    std::from_chars(status.data() + at + field.size(), status.data() + status.size(), mask, 16);
  return mask;
}

// Identifies a pipe. The device too: a named pipe's inode number may exist on another file system.
std::uint64_t identity(const struct stat& info) {
  return std::uint64_t{info.st_dev} << 40U ^ info.st_ino;
}

// The pipe behind a descriptor of a process; 0 for anything else.
std::uint64_t pipe_of(int pid, int fd) {
  struct stat info {};
  const std::string path = file_of(pid, "fd/") + std::to_string(fd);
  if (::stat(path.c_str(), &info) != 0 || !S_ISFIFO(info.st_mode)) return 0;
  return identity(info);
}

// Whether the pipe at its standard input has a writer or unread data. Assumed where it cannot be
// opened.
bool stdin_is_open(int pid) {
  const ScopedFd pipe(::open(file_of(pid, "fd/0").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!pipe.valid()) return true;
  pollfd end{pipe.get(), POLLIN, 0};
  return ::poll(&end, 1, 0) != 1 || (end.revents & POLLHUP) == 0 || (end.revents & POLLIN) != 0;
}

std::optional<core::LocalRank> rank_by_session(const RankKeys& keys, int session) {
  for (const auto& rank : keys.ranks) {
    if (rank.pid == session) return rank.local_rank;
  }
  return std::nullopt;
}

std::optional<core::LocalRank> rank_by_environment(const RankKeys& keys, int pid) {
  const auto socket = environment_of(pid, env::kNotifySocket);
  if (!socket || !socket->starts_with(keys.notify_prefix)) return std::nullopt;
  const char* const end = socket->data() + socket->size();
  core::LocalRank local_rank = -1;
  const auto [stop, error] =
      std::from_chars(socket->data() + keys.notify_prefix.size(), end, local_rank);
  return error == std::errc{} && stop == end ? std::optional(local_rank) : std::nullopt;
}

void attribute(const RankKeys& keys, const ProcessInfo& info, const core::ProcessFacts* parent,
               core::ProcessFacts& process) {
  const auto set = [&](core::LocalRank local_rank, core::Proof proof) {
    process.local_rank = local_rank;
    process.proof = proof;
  };
  if (const auto rank = rank_by_session(keys, info.session)) {
    set(*rank, core::Proof::session);
  } else if (parent != nullptr && parent->local_rank >= 0) {
    set(parent->local_rank, core::Proof::parentage);
  } else if (const auto named = rank_by_environment(keys, info.pid)) {
    set(*named, core::Proof::environment);
  }
}

void add_details(core::ProcessFacts& process) {
  process.shell = is_shell(process.pid);
  process.waits = waits_for_children(process.pid);
  const auto status = read_file(file_of(process.pid, "status")).value_or("");
  process.caught = mask_of(status, "\nSigCgt:\t");
  process.ignored = mask_of(status, "\nSigIgn:\t");
  // --stdin passes on the launcher's input: that pipe does not connect two processes of a rank.
  struct stat own {};
  const bool own_pipe = ::fstat(STDIN_FILENO, &own) == 0 && S_ISFIFO(own.st_mode);
  process.reads_pipe = pipe_of(process.pid, STDIN_FILENO);
  if (own_pipe && process.reads_pipe == identity(own)) process.reads_pipe = 0;
  process.pipe_is_open = process.reads_pipe != 0 && stdin_is_open(process.pid);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (const auto pipe = pipe_of(process.pid, fd); pipe != 0) process.writes_pipes.push_back(pipe);
  }
}

// The command line as a shell would show it, up to kCommandBytes.
std::string command_line(int pid, const std::string& name) {
  auto text = read_file(file_of(pid, "cmdline"), kCommandBytes + 1).value_or("");
  while (!text.empty() && text.back() == '\0') text.pop_back();
  if (text.empty()) text = name;
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (text.size() > kCommandBytes) text = std::string(utf8_prefix(text, kCommandBytes - 3)) + "...";
  return without_controls(as_utf8(text));
}

}  // namespace

core::ProcessTable process_table(const RankKeys& keys) {
  std::unordered_map<int, std::vector<ProcessInfo>> children;
  for (const int pid : all_processes()) {
    auto info = read_process(pid);
    if (info && info->state != 'Z' && info->state != 'X')
      children[info->parent].push_back(std::move(*info));
  }
  core::ProcessTable table;
  const auto add_children = [&](int pid, const core::ProcessFacts* parent) {
    const auto found = children.find(pid);
    if (found == children.end()) return;
    // Removed from the list: a process is found once, so that there is no cycle.
    const auto taken = std::move(found->second);
    children.erase(found);
    for (const auto& info : taken) {
      if (std::find(keys.not_theirs.begin(), keys.not_theirs.end(), info.pid) !=
          keys.not_theirs.end())
        continue;
      core::ProcessFacts process;
      process.pid = info.pid;
      process.parent = pid;
      process.group = info.group;
      process.start_time = info.start_time;
      process.command = info.command;
      attribute(keys, info, parent, process);
      process.first = process.proof == core::Proof::session &&
                      std::any_of(keys.ranks.begin(), keys.ranks.end(),
                                  [&](const RankProcess& rank) { return rank.pid == info.pid; });
      add_details(process);
      table.push_back(std::move(process));
    }
  };
  add_children(::getpid(), nullptr);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const core::ProcessFacts parent = table[i];
    add_children(parent.pid, &parent);
  }
  return table;
}

std::vector<core::Leftover> left_running(const core::ProcessTable& table) {
  std::vector<core::Leftover> left;
  for (const auto& process : table) {
    if (process.first) continue;
    left.push_back({process.pid, process.local_rank, process.proof,
                    command_line(process.pid, process.command)});
  }
  return left;
}

std::uint64_t ticks_since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto hertz = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  return static_cast<std::uint64_t>(now.tv_sec) * hertz +
         static_cast<std::uint64_t>(now.tv_nsec) * hertz / 1'000'000'000;
}

bool is_shell(int pid) {
  static constexpr std::string_view kShells[] = {"ash",   "bash", "busybox", "csh",  "dash",
                                                 "fish",  "ksh",  "ksh93",   "lksh", "mksh",
                                                 "rbash", "sh",   "tcsh",    "yash", "zsh"};
  const std::string name = executable_name(pid);
  return std::find(std::begin(kShells), std::end(kShells), name) != std::end(kShells);
}

bool waits_for_children(int pid) {
  // "61 0x… …": the number of the system call that the main thread is in, where that may be read.
  const auto call = read_file(file_of(pid, "syscall"), 16).value_or("");
  long number = -1;
  std::from_chars(call.data(), call.data() + call.size(), number);
  return number == SYS_wait4 || number == SYS_waitid;
}

bool signal_process(int pid, std::uint64_t start_time, int signal) {
  if (pid <= 1) return false;
  const ScopedFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return false;
  const auto info = read_process(pid);
  if (!info || info->start_time != start_time) return false;
  return ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

}  // namespace ddp::os

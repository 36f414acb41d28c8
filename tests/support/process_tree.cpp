#include "tests/support/process_tree.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>

namespace ddp::test {
namespace {

// A process may exit between two reads of it: a missing file reads as empty.
std::string slurp(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t got = 0; (got = read(fd, chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  close(fd);
  return text;
}

std::string proc(int pid, const char* file) {
  return slurp("/proc/" + std::to_string(pid) + "/" + file);
}

std::optional<ProcessInfo> read_process(int pid) {
  const std::string stat = proc(pid, "stat");
  // "pid (name) state ppid pgrp session …": the name may hold blanks and brackets.
  const auto open = stat.find('(');
  const auto close = stat.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  ProcessInfo info;
  info.pid = pid;
  info.name = stat.substr(open + 1, close - open - 1);
  int group = 0;
  std::istringstream rest(stat.substr(close + 1));
  if (!(rest >> info.state >> info.parent >> group >> info.session)) return std::nullopt;
  info.command_line = proc(pid, "cmdline");
  std::replace(info.command_line.begin(), info.command_line.end(), '\0', ' ');
  return info;
}

std::vector<ProcessInfo> all_processes() {
  std::vector<ProcessInfo> processes;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    if (auto info = read_process(pid)) processes.push_back(std::move(*info));
  }
  return processes;
}

}  // namespace

void become_subreaper() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    throw std::system_error(errno, std::generic_category(), "PR_SET_CHILD_SUBREAPER");
  }
}

std::string describe(const std::vector<ProcessInfo>& processes) {
  std::ostringstream text;
  for (const auto& process : processes) {
    text << "\n  pid " << process.pid << " of " << process.parent << ", session " << process.session
         << ", state " << process.state << ", " << process.name << ": " << process.command_line;
  }
  return text.str();
}

std::vector<ProcessInfo> descendants(int pid) {
  std::multimap<int, ProcessInfo> by_parent;
  for (auto& process : all_processes()) {
    const int parent = process.parent;
    by_parent.emplace(parent, std::move(process));
  }
  std::vector<ProcessInfo> found;
  std::vector<int> parents{pid};
  for (std::size_t next = 0; next < parents.size(); ++next) {
    const auto [first, last] = by_parent.equal_range(parents[next]);
    for (auto child = first; child != last; ++child) {
      parents.push_back(child->second.pid);
      found.push_back(child->second);
    }
  }
  return found;
}

std::vector<ProcessInfo> processes_with(std::string_view name, std::string_view value) {
  const std::string entry = std::string(name) + "=" + std::string(value) + '\0';
  std::vector<ProcessInfo> found;
  for (auto& process : all_processes()) {
    if (('\0' + proc(process.pid, "environ")).find('\0' + entry) != std::string::npos) {
      found.push_back(std::move(process));
    }
  }
  return found;
}

std::string status_field(int pid, std::string_view field) {
  std::istringstream status(proc(pid, "status"));
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, field.size(), field) == 0 && line.size() > field.size() &&
        line[field.size()] == ':') {
      const auto value = line.find_first_not_of(" \t", field.size() + 1);
      return value == std::string::npos ? "" : line.substr(value);
    }
  }
  return "";
}

int reap_adopted(const std::vector<int>& except) {
  int reaped = 0;
  for (const auto& process : descendants(getpid())) {
    if (process.parent != getpid() || process.state != 'Z' ||
        std::find(except.begin(), except.end(), process.pid) != except.end()) {
      continue;
    }
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(process.pid), &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid == process.pid) {
      ++reaped;
    }
  }
  return reaped;
}

void kill_descendants() {
  // Repeatedly, because a process that forks faster than it is killed leaves children: each
  // round waits for one death, and a killed process cannot fork.
  for (auto left = descendants(getpid()); !left.empty(); left = descendants(getpid())) {
    for (const auto& process : left) {
      if (process.pid > 1 && process.state != 'Z') kill(process.pid, SIGKILL);
    }
    siginfo_t info{};
    while (waitid(P_ALL, 0, &info, WEXITED) != 0 && errno == EINTR) {
    }
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0) info.si_pid = 0;
  }
}

bool wait_gone(int pid, const Deadline& deadline) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) {
    if (errno == ESRCH) return true;
    throw std::system_error(errno, std::generic_category(), "pidfd_open");
  }
  pollfd waiting{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&waiting, 1, deadline.remaining_ms());
  } while (ready < 0 && errno == EINTR);
  close(fd);
  return ready > 0;
}

}  // namespace ddp::test

#include "launcher/os/proc.hpp"

#include "common/env_names.hpp"

#include "launcher/os/fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace ddp::os {
namespace {

std::vector<int> integers(std::string_view text) {
  std::vector<int> values;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error == std::errc{}) values.push_back(value);
    at = stop == at ? at + 1 : stop;
  }
  return values;
}

}  // namespace

std::vector<int> all_processes() {
  std::vector<int> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), &::closedir);
  if (!directory) return pids;
  while (const dirent* entry = ::readdir(directory.get())) {
    int pid = 0;
    const std::string_view name = entry->d_name;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && stop == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

namespace {

std::vector<int> scan_for_children_of(int parent) {
  std::vector<int> children;
  for (const int pid : all_processes()) {
    const auto info = read_process(pid);
    if (info && info->parent == parent) children.push_back(pid);
  }
  return children;
}

}  // namespace

bool proc_is_ours() {
  char target[16];
  const ssize_t size = ::readlink("/proc/self", target, sizeof target);
  return size > 0 &&
         std::string_view(target, static_cast<std::size_t>(size)) == std::to_string(::getpid());
}

bool in_first_pid_namespace() {
  constexpr ino_t kFirst = 0xEFFFFFFC;  // PROC_PID_INIT_INO of include/linux/proc_ns.h
  struct stat info {};
  return ::stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == kFirst;
}

std::optional<std::string> read_file(const std::string& path, std::size_t most) {
  const ScopedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (text.size() < most) {
    const ssize_t count = ::read(fd.get(), buffer, std::min(sizeof buffer, most - text.size()));
    if (count == -1 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

std::optional<ProcessInfo> read_process(int pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return std::nullopt;
  // "pid (command) state parent …": the command may hold blanks and parentheses, so the last ')'
  // ends it.
  const auto open = stat->find('(');
  const auto close = stat->rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 4 > stat->size())
    return std::nullopt;
  ProcessInfo info;
  info.pid = pid;
  info.command = stat->substr(open + 1, close - open - 1);
  info.state = (*stat)[close + 2];
  // Fields 4 to 22 of proc(5): parent, group, session, …, start time.
  const char* at = stat->data() + close + 4;
  const char* const end = stat->data() + stat->size();
  std::uint64_t skipped = 0;
  const auto read = [&](auto& into) {
    at = std::from_chars(at, end, into).ptr;
    while (at < end && *at == ' ') ++at;
  };
  read(info.parent);
  read(info.group);
  read(info.session);
  for (int field = 7; field < 22; ++field) {
    if (at < end && *at == '-') ++at;  // tpgid, priority and nice may be negative
    read(skipped);
  }
  read(info.start_time);
  return info;
}

std::string wait_channel(int pid) {
  auto name = read_file("/proc/" + std::to_string(pid) + "/wchan").value_or("");
  return name == "0" ? std::string() : name;
}

bool is_traced(int pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  if (!status) return false;
  constexpr std::string_view kField = "\nTracerPid:\t";
  const auto at = status->find(kField);
  return at != std::string::npos && (*status)[at + kField.size()] != '0';
}

std::vector<int> own_children() {
  // One thread starts every child of this process, so only its task has children.
  const auto list =
      read_file("/proc/self/task/" + std::to_string(::syscall(SYS_gettid)) + "/children");
  if (list) return integers(*list);
  return scan_for_children_of(::getpid());
}

std::optional<std::string> environment_of(int pid, std::string_view variable) {
  const auto block = read_file("/proc/" + std::to_string(pid) + "/environ");
  if (!block) return std::nullopt;
  const std::string entry = std::string(variable) + "=";
  for (std::string_view rest = *block; !rest.empty();) {
    const auto end = std::min(rest.find('\0'), rest.size());
    if (rest.substr(0, end).starts_with(entry))
      return std::string(rest.substr(entry.size(), end - entry.size()));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

std::vector<int> processes_of_launch(const std::string& run_dir) {
  std::vector<int> found;
  for (const int pid : all_processes()) {
    const auto socket = pid == ::getpid() ? std::nullopt : environment_of(pid, env::kNotifySocket);
    if (socket && socket->starts_with(run_dir + "/")) found.push_back(pid);
  }
  return found;
}

}  // namespace ddp::os

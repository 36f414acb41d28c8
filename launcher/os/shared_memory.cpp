#include "launcher/os/shared_memory.hpp"

#include "launcher/os/fd.hpp"
#include "launcher/os/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

namespace ddp::os {
namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Directory open_directory(const std::string& path) {
  // opendir opens with O_CLOEXEC.
  return Directory(::opendir(path.c_str()), &::closedir);
}

std::string proc_path(int pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::chrono::nanoseconds now_of_files() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Lists the files that one process uses: calls `file` with device and inode of each mapped file,
// and `link` with the number and target of each descriptor. False where the process may not be
// inspected; a process that is gone uses nothing.
bool list_files_of(int pid, const std::function<void(std::uint64_t, std::uint64_t)>& file,
                   const std::function<void(const std::string&, std::string_view)>& link) {
  errno = 0;
  const auto text = read_file(proc_path(pid, "maps"));
  if (!text && errno != ENOENT && errno != ESRCH) return false;
  std::istringstream maps(text.value_or(""));
  // "7f00-7f01 rw-s 00000000 00:1a 1234   /dev/shm/name"
  for (std::string line; std::getline(maps, line);) {
    unsigned device_major = 0;
    unsigned device_minor = 0;
    unsigned long long inode = 0;
    if (std::sscanf(line.c_str(), "%*s %*s %*s %x:%x %llu", &device_major, &device_minor, &inode) ==
            3 &&
        inode != 0)
      file(::makedev(device_major, device_minor), inode);
  }
  const std::string fds = proc_path(pid, "fd");
  const Directory directory = open_directory(fds);
  if (!directory) return errno == ENOENT || errno == ESRCH;
  while (const dirent* entry = ::readdir(directory.get())) {
    char target[4096];
    const std::string path = fds + "/" + entry->d_name;
    const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
    if (size > 0) link(path, {target, static_cast<std::size_t>(size)});
  }
  return true;
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// From /proc/<pid>: the effective user, and the start in ticks since boot.
struct Owner {
  uid_t user = 0;
  std::uint64_t started = 0;
};
std::optional<Owner> owner_of(int pid) {
  const auto status = read_file(proc_path(pid, "status"));
  const auto stat = read_file(proc_path(pid, "stat"));
  if (!status || !stat) return std::nullopt;
  const auto uid = status->find("\nUid:");
  const auto close = stat->rfind(')');
  if (uid == std::string::npos || close == std::string::npos) return std::nullopt;
  Owner owner;
  std::istringstream users(status->substr(uid + 5));
  users >> owner.user >> owner.user;  // real, effective
  std::istringstream fields(stat->substr(close + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  fields >> owner.started;
  return owner;
}

// Which processes use which of some files.
struct Usage {
  std::set<std::uint64_t> inodes;  // mapped or open
  bool same_user_unknown = false;  // a process of this user that may belong to the attempt
  bool others_unknown = false;
};

Usage usage_of(const std::set<std::string, std::less<>>& names, std::uint64_t device,
               std::uint64_t since_ticks) {
  Usage usage;
  const Directory proc = open_directory("/proc");
  if (!proc) return {.same_user_unknown = true, .others_unknown = true};
  while (const dirent* entry = ::readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    int pid = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || stop != name.data() + name.size()) continue;
    const bool inspected = list_files_of(
        pid,
        [&](std::uint64_t file_device, std::uint64_t inode) {
          if (file_device == device) usage.inodes.insert(inode);
        },
        [&](const std::string& path, std::string_view target) {
          // Only names that match one of them get a stat, which may hang for a file on a network
          // mount.
          struct stat info {};
          if (names.count(last_part(target)) != 0 && ::stat(path.c_str(), &info) == 0 &&
              info.st_dev == device)
            usage.inodes.insert(info.st_ino);
        });
    if (inspected) continue;
    const auto owner = owner_of(pid);
    if (!owner) continue;  // gone
    if (owner->user == ::geteuid())
      usage.same_user_unknown |= owner->started >= since_ticks;
    else
      usage.others_unknown |= owner->user != 0;
  }
  return usage;
}

// When the file was made or, where the file system does not record that, last changed.
std::chrono::nanoseconds made_at(const struct statx& info) {
  const auto& time = (info.stx_mask & STATX_BTIME) != 0 ? info.stx_btime : info.stx_ctime;
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

bool in_initial_pid_namespace() {
  // PROC_PID_INIT_INO, fixed since Linux 3.8.
  constexpr ino_t kInitial = 0xEFFFFFFC;
  struct stat info {};
  return ::stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == kInitial;
}

SharedMemoryWatch::SharedMemoryWatch(std::string directory, bool pids_are_unique)
    : directory_(std::move(directory)), pids_are_unique_(pids_are_unique) {}

void SharedMemoryWatch::generation_began() {
  before_.clear();
  seen_.clear();
  inspected_.clear();
  knows_before_ = false;
  began_ = now_of_files();
  const std::uint64_t ticks = ticks_since_boot();
  began_ticks_ = ticks > 0 ? ticks - 1 : 0;  // the kernel may round the other way
  const Directory directory = open_directory(directory_);
  struct stat info {};
  if (!directory || ::fstat(::dirfd(directory.get()), &info) != 0) return;
  device_ = info.st_dev;
  while (const dirent* entry = ::readdir(directory.get())) {
    before_.insert(entry->d_ino);
    if (before_.size() > kMostEntries) return;
  }
  knows_before_ = true;
}

std::vector<SharedMemoryWatch::Entry> SharedMemoryWatch::appeared() const {
  if (!knows_before_) return {};
  const Directory directory = open_directory(directory_);
  struct stat info {};
  if (!directory || ::fstat(::dirfd(directory.get()), &info) != 0 || info.st_dev != device_)
    return {};
  std::vector<Entry> entries;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (++count > kMostEntries) return {};
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && before_.count(entry->d_ino) == 0)
      entries.push_back({entry->d_name, entry->d_ino});
  }
  return entries;
}

void SharedMemoryWatch::inspect(int pid, core::LocalRank rank) {
  if (pid <= 0) return;
  inspected_[pid] = rank;
  const auto entries = appeared();
  if (entries.empty()) return;
  std::set<std::string, std::less<>> names;
  for (const Entry& entry : entries) names.insert(entry.name);
  // The first rank seen with it is reported: every one of them belongs to this attempt.
  list_files_of(
      pid,
      [&](std::uint64_t device, std::uint64_t inode) {
        if (device == device_) seen_.emplace(inode, rank);
      },
      [&](const std::string& path, std::string_view target) {
        struct stat info {};
        if (names.count(last_part(target)) != 0 && ::stat(path.c_str(), &info) == 0 &&
            info.st_dev == device_)
          seen_.emplace(info.st_ino, rank);
      });
}

std::vector<core::Segment> SharedMemoryWatch::left(const std::vector<RankProcess>& workers) const {
  std::vector<core::Segment> found;
  std::vector<bool> closed_to_others;
  std::set<std::string, std::less<>> names;
  const ScopedFd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return {};
  for (const Entry& entry : appeared()) {
    struct statx info {};
    if (::statx(directory.get(), entry.name.c_str(), AT_SYMLINK_NOFOLLOW,
                STATX_BASIC_STATS | STATX_BTIME, &info) != 0)
      continue;
    const bool ours = S_ISREG(info.stx_mode) && info.stx_uid == ::geteuid() &&
                      info.stx_ino == entry.inode && made_at(info) >= began_;
    if (!ours) continue;
    core::Segment segment;
    segment.path = directory_ + "/" + entry.name;
    segment.bytes = info.stx_blocks * 512;
    segment.generated_name = core::is_generated_name(entry.name);
    segment.device = device_;
    segment.inode = info.stx_ino;
    if (const auto seen = seen_.find(info.stx_ino); seen != seen_.end()) {
      segment.proof = core::SegmentProof::seen;
      segment.rank = seen->second;
    } else if (const auto pid = core::pid_in_name(entry.name); pid && pids_are_unique_) {
      const auto set = [&](core::LocalRank rank) {
        segment.proof = core::SegmentProof::pid_in_name;
        segment.rank = rank;
      };
      for (const RankProcess& process : workers) {
        if (process.pid == *pid) set(process.local_rank);
      }
      if (const auto looked = inspected_.find(*pid); looked != inspected_.end())
        set(looked->second);
    }
    names.insert(entry.name);
    found.push_back(std::move(segment));
    closed_to_others.push_back((info.stx_mode & (S_IRWXG | S_IRWXO)) == 0);
  }
  if (found.empty()) return found;
  const Usage usage = usage_of(names, device_, began_ticks_);
  if (usage.same_user_unknown) return {};
  std::vector<core::Segment> unused;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (usage.inodes.count(found[i].inode) != 0) continue;
    found[i].maybe_used = !closed_to_others[i] && usage.others_unknown;
    unused.push_back(std::move(found[i]));
  }
  return unused;
}

std::string remove_shared_memory(const core::Segment& segment) {
  struct stat info {};
  if (::lstat(segment.path.c_str(), &info) != 0)
    return errno == ENOENT ? std::string() : std::strerror(errno);
  if (info.st_dev != segment.device || info.st_ino != segment.inode)
    return "it is another file by now";
  if (::unlink(segment.path.c_str()) != 0 && errno != ENOENT) return std::strerror(errno);
  return {};
}

}  // namespace ddp::os

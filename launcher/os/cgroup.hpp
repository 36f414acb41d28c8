// A separate cgroup for the launch, where cgroup v2 is mounted and writable. One write kills every
// process in it at once, including what forks faster than it can be killed one by one. It is a
// second safety net below the subreaper: a launch works without it.
#pragma once

#include "launcher/os/fd.hpp"

#include <optional>
#include <string>

namespace ddp::os {

class Cgroup {
 public:
  // Makes a new leaf below this process's own cgroup, ddp-launch.<pid>.<6 characters>, which no
  // other launch uses. nullopt where that is not possible.
  static std::optional<Cgroup> make_leaf();
  // Makes a new cgroup below this one, where the next processes start after a kill() here.
  //
  // On Linux 6.18, every process that clone3 starts in a cgroup that was killed once is killed at
  // once, indefinitely: the second attempt of a launch and every later one. A successor is not
  // affected.
  std::optional<Cgroup> make_successor(int number) const;

  int fd() const { return directory_.get(); }  // for clone3's CLONE_INTO_CGROUP
  const std::string& path() const { return path_; }
  // Sends SIGKILL to every process in it (cgroup.kill, Linux 5.14). Does nothing on an older
  // kernel.
  void kill() const;
  // Removes it and every cgroup below it. Fails silently while a process lives in one of them.
  void remove() const;

 private:
  static std::optional<Cgroup> open(const std::string& path);
  Cgroup(std::string path, ScopedFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}
  std::string path_;
  ScopedFd directory_;
};

}  // namespace ddp::os

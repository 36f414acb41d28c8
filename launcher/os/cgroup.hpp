// A cgroup of the launch's own, where cgroup v2 is there and writable: one write kills everything
// in it at once, also what forks faster than it can be killed one by one. Only a second net below
// the subreaper: without it nothing is lost.
#pragma once

#include "launcher/os/fd.hpp"

#include <optional>
#include <string>

namespace ddp::os {

class Cgroup {
 public:
  // A new leaf below this process's own cgroup, ddp-launch.<pid>.<6 characters>, which no other
  // launch has; none where that is not possible.
  static std::optional<Cgroup> make_leaf();
  // A new one below this one, where the next processes start after a kill() here.
  //
  // On Linux 6.18 whatever clone3 starts within a cgroup that was killed once is killed at once,
  // for ever: the second generation of a launch, and every later one. A successor of it is not
  // affected.
  std::optional<Cgroup> make_successor(int number) const;

  int fd() const { return directory_.get(); }  // for clone3's CLONE_INTO_CGROUP
  const std::string& path() const { return path_; }
  // SIGKILL to every process within (cgroup.kill, Linux 5.14). Does nothing where the kernel has
  // none.
  void kill() const;
  // Removes it and what was made below it. Fails quietly while a process lives within.
  void remove() const;

 private:
  static std::optional<Cgroup> open(const std::string& path);
  Cgroup(std::string path, ScopedFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}
  std::string path_;
  ScopedFd directory_;
};

}  // namespace ddp::os

// The cgroup that workers start in, over the generations of a launch. Killing one spoils it for
// good (os::Cgroup::make_successor), so the next generation gets another.
#pragma once

#include "launcher/os/cgroup.hpp"

#include <optional>

namespace ddp {

class WorkerCgroup {
 public:
  // `home` is the launch's own; nullptr: none.
  explicit WorkerCgroup(const os::Cgroup* home) : home_(home) {}

  int fd() const { return current() != nullptr ? current()->fd() : -1; }  // -1: there is none

  void kill() {
    if (current() == nullptr) return;
    current()->kill();
    killed_ = true;
  }

  void generation_ended() {
    if (!killed_) return;
    killed_ = false;
    if (successor_) successor_->remove();
    successor_ = home_->make_successor(++successors_);
    if (!successor_) home_ = nullptr;  // a second net only: the subreaper finds everything
  }

 private:
  const os::Cgroup* current() const { return successor_ ? &*successor_ : home_; }

  const os::Cgroup* home_;
  std::optional<os::Cgroup> successor_;  // where workers live once home_ was killed
  int successors_ = 0;
  bool killed_ = false;  // the current one
};

}  // namespace ddp

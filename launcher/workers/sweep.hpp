// Kills what is left of an attempt, in rounds: a killed process makes its children ours, and they
// are next. What reads a pipe of the killed may first read it to its end.
#pragma once

#include "launcher/os/loop.hpp"
#include "launcher/workers/rank_tree.hpp"
#include "launcher/workers/worker_cgroup.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace ddp {

class Sweep {
 public:
  using BeforeKill = std::function<void(const core::ProcessTable&)>;
  // `tree` and `cgroup` are borrowed. `before_kill` is called once a sweep with what is left.
  Sweep(os::Loop& loop, const RankTree& tree, WorkerCgroup& cgroup, BeforeKill before_kill)
      : tree_(tree),
        cgroup_(cgroup),
        before_kill_(std::move(before_kill)),
        loop_(loop),
        readers_timer_(loop.make_timer()) {}

  // `again` asks for a round when readers have had their time.
  void begin(bool readers_first, std::function<void()> again);
  // Processes are left: kills them.
  void round();
  // A process that still may read its pipe: it was not sent SIGKILL yet.
  bool spares(int pid) const;
  // What the ranks had left running and was killed, but for those that are still alive.
  std::vector<core::Leftover> end(const std::vector<core::Survivor>& survivors);

 private:
  void look();
  bool spare_readers();
  void forget_readers();

  const RankTree& tree_;
  WorkerCgroup& cgroup_;
  BeforeKill before_kill_;
  os::Loop& loop_;
  std::unique_ptr<os::Timer> readers_timer_;
  std::function<void()> again_;
  bool looked_ = false;                                 // at what is to be killed
  bool readers_first_ = false;                          // what reads a pipe may read it to its end
  std::vector<std::pair<int, std::uint64_t>> readers_;  // those that may still, by start time
  std::vector<core::Leftover> killed_;
};

}  // namespace ddp

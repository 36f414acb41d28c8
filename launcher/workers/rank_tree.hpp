// The processes of each rank beyond its first, and the signals to them: carries out what
// launcher/core/group/stop_scope.hpp decides.
//
// A stop signal reaches the ranks' first processes at once and without a scan of /proc; what has to
// get it besides is looked for afterwards, and again whenever a process has ended, but only where
// there is something to find: one that waits for its children, or an orphan.
#pragma once

#include "launcher/core/group/stop_scope.hpp"
#include "launcher/os/process_table.hpp"
#include "launcher/workers/options.hpp"

#include <cstddef>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ddp {

class RankTree {
 public:
  // `keys` gives the present generation whenever it is asked.
  RankTree(StopScope scope, std::function<os::RankKeys()> keys)
      : scope_(scope), keys_(std::move(keys)) {}

  void generation_began();

  // The stop signal to a rank whose first process is `pid`, which is not reaped.
  void stop(int pid, int signal);
  // Every rank that lives got it.
  void stop_began(int signal);
  // Finds who has to get it next; cheap where no process can have to, unless it is `due`. True:
  // another look is due after core::kLookAgainAfter.
  bool go_on(bool due = false);
  // Everyone who had none, but what ends with its pipe.
  void stop_rest(int signal);
  // SIGUSR1 or SIGUSR2 of the launcher's, or what a user sends: to these ranks; none: to all.
  void forward(int signal, std::span<const core::LocalRank> ranks);

  core::ProcessTable look() const { return os::process_table(keys_()); }

 private:
  bool worth_a_scan(const os::RankKeys& keys);
  void mark_sent(const os::RankKeys& keys, core::ProcessTable& table);
  void deliver(const std::vector<core::Delivery>& deliveries);

  StopScope scope_;
  std::function<os::RankKeys()> keys_;
  core::StopRequest request_;  // signal 0: no rank was asked to stop
  std::set<int> waited_;   // first processes that waited for a child when they were asked to stop
  std::set<int> scanned_;  // children of this process that a scan can find nothing new about
  std::ptrdiff_t ranks_living_ = 0;  // at the last look
};

}  // namespace ddp

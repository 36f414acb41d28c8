#include "launcher/workers/rank_tree.hpp"

#include "launcher/os/proc.hpp"
#include "launcher/os/signals.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>

namespace ddp {

void RankTree::generation_began() {
  request_ = {};
  waited_.clear();
  scanned_.clear();
  ranks_living_ = 0;
}

void RankTree::stop(int pid, int signal) {
  // What its handler does, a millisecond later may be to wait: it has to be seen before.
  if (os::waits_for_children(pid)) waited_.insert(pid);
  if (scope_ == StopScope::group) {
    os::signal_group(pid, signal);
  } else if (pid > 1) {
    ::kill(pid, signal);
  }
}

void RankTree::stop_began(int signal) {
  request_.signal = signal;
  request_.supervisor = ::getpid();
  request_.asked_at = os::ticks_since_boot();
  request_.began = std::chrono::steady_clock::now();
}

// A scan costs a read of every process of the machine. There is something to find where a first
// process waits for its children, where there is an orphan that no look has seen, and where a first
// process has ended since the last one, whose orphans were spared until then.
bool RankTree::worth_a_scan(const os::RankKeys& keys) {
  const auto is_in = [](const auto& list, int pid) {
    return std::find(list.begin(), list.end(), pid) != list.end();
  };
  std::ptrdiff_t living = 0;
  bool orphans = false;
  bool worth_it = false;
  for (const int pid : os::own_children()) {
    if (is_in(keys.not_theirs, pid)) continue;
    const bool first = std::any_of(keys.ranks.begin(), keys.ranks.end(),
                                   [pid](const auto& rank) { return rank.pid == pid; });
    living += first;
    orphans |= !first;
    if (!scanned_.insert(pid).second) continue;
    worth_it |= !first || waited_.contains(pid) || os::is_shell(pid) || os::waits_for_children(pid);
  }
  worth_it |= orphans && living != ranks_living_;
  ranks_living_ = living;
  return worth_it;
}

bool RankTree::go_on(bool due) {
  if (request_.signal == 0) return false;
  const auto keys = keys_();
  const bool worth_it = worth_a_scan(keys);
  if (!worth_it && !due && (scope_ == StopScope::rank || !request_.sent.empty())) return true;
  auto table = os::process_table(keys);
  mark_sent(keys, table);
  request_.now = std::chrono::steady_clock::now();
  const auto deliveries = core::next_to_stop(table, request_);
  deliver(deliveries);
  // A rank that lives may yet come to wait for its children.
  return !due || ranks_living_ > 0 || !deliveries.empty() || !request_.filters.empty();
}

void RankTree::stop_rest(int signal) {
  const auto keys = keys_();
  auto table = os::process_table(keys);
  if (request_.signal != 0) mark_sent(keys, table);
  deliver(core::rest_to_stop(table, signal, request_));
  if (request_.signal == 0) stop_began(signal);
  request_.signal = signal;
}

void RankTree::forward(int signal, std::span<const core::LocalRank> ranks) {
  const auto table = look();
  if (scope_ == StopScope::group) {
    for (const auto& process : table) {
      if (process.first && core::includes(ranks, process.local_rank))
        os::signal_group(process.pid, signal);
    }
    return;
  }
  for (const auto& one : core::to_forward(table, signal, ranks))
    os::signal_process(one.pid, one.start_time, one.signal);
}

// Who got the stop signal from stop(), without a scan.
void RankTree::mark_sent(const os::RankKeys& keys, core::ProcessTable& table) {
  for (auto& process : table) {
    // What its handler waits for by now is found by a later look.
    const bool first_look = !request_.sent.contains({process.pid, process.start_time});
    if (process.first && first_look) process.waits = waited_.contains(process.pid);
    const bool in_group = scope_ == StopScope::group &&
                          std::any_of(keys.ranks.begin(), keys.ranks.end(),
                                      [&](const auto& rank) { return rank.pid == process.group; });
    if (process.first || in_group)
      request_.sent[{process.pid, process.start_time}].signals.insert(request_.signal);
  }
}

void RankTree::deliver(const std::vector<core::Delivery>& deliveries) {
  for (const auto& one : deliveries) {
    os::signal_process(one.pid, one.start_time, one.signal);
    // A stopped process gets its signal only when it is continued.
    os::signal_process(one.pid, one.start_time, SIGCONT);
  }
}

}  // namespace ddp

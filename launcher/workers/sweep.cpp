#include "launcher/workers/sweep.hpp"

#include "launcher/os/descendants.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

namespace ddp {
namespace {

// What reads a pipe has long since read it then, unless its own reader takes nothing.
constexpr auto kReadersTime = std::chrono::seconds(1);

}  // namespace

void Sweep::begin(bool readers_first, std::function<void()> again) {
  again_ = std::move(again);
  looked_ = false;
  readers_first_ = readers_first;
}

void Sweep::round() {
  if (!std::exchange(looked_, true)) look();
  if (!readers_.empty() && spare_readers()) return;
  cgroup_.kill();
  os::kill_children();
}

void Sweep::look() {
  const auto table = tree_.look();
  killed_ = os::left_running(table);
  if (before_kill_) before_kill_(table);
  if (!readers_first_) return;
  for (const auto& process : table) {
    if (!process.first && process.reads_pipe != 0)
      readers_.emplace_back(process.pid, process.start_time);
  }
  if (readers_.empty()) return;
  readers_timer_->at(loop_.now() + kReadersTime, [this] {
    readers_.clear();
    again_();
  });
}

// Kills everything else. False when no reader is left.
bool Sweep::spare_readers() {
  bool any = false;
  for (const auto& process : tree_.look()) {
    if (std::find(readers_.begin(), readers_.end(), std::pair(process.pid, process.start_time)) !=
        readers_.end()) {
      any = true;
    } else {
      os::signal_process(process.pid, process.start_time, SIGKILL);
    }
  }
  if (!any) forget_readers();
  return any;
}

bool Sweep::spares(int pid) const {
  return std::any_of(readers_.begin(), readers_.end(),
                     [pid](const auto& reader) { return reader.first == pid; });
}

// They have read to the end: they were not killed.
void Sweep::forget_readers() {
  std::erase_if(killed_, [this](const core::Leftover& one) { return spares(one.pid); });
  readers_.clear();
}

std::vector<core::Leftover> Sweep::end(const std::vector<core::Survivor>& survivors) {
  readers_timer_->cancel();
  forget_readers();
  for (const auto& survivor : survivors) {
    std::erase_if(killed_, [&](const core::Leftover& one) { return one.pid == survivor.pid; });
  }
  return std::exchange(killed_, {});
}

}  // namespace ddp

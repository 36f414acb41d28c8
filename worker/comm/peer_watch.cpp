#include "worker/comm/peer_watch.hpp"

#include "worker/base/failure.hpp"
#include "worker/base/stop.hpp"

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace ddp::worker {

PeerWatch::PeerWatch(StoreClient& store, int rank, Message message)
    : store_(store), rank_(rank), message_(std::move(message)), thread_([this] { watch(); }) {}

PeerWatch::~PeerWatch() {
  {
    const std::lock_guard lock(mutex_);
    watching_ = false;
  }
  stop_.notify_all();
  store_.interrupt();
  thread_.join();
}

void PeerWatch::set_under_way(Thread thread, const std::string& what) {
  const std::lock_guard lock(mutex_);
  under_way_[thread] = {what, under_way_[thread].number + 1};
}

void PeerWatch::watch() {
  constexpr std::chrono::milliseconds kTurn{20};
  // Counted in turns of this process, not in time: it may be stopped or starved.
  constexpr int kTurns = 10;
  const std::string who = store_.wait_for_leaver();
  std::array<std::uint64_t, kThreads> seen{};
  std::array<int, kThreads> turns{};
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, kTurn, [&] { return !watching_; })) {
    for (std::size_t i = 0; i < kThreads; ++i) {
      if (under_way_[i].what.empty() || under_way_[i].number != seen[i]) {
        seen[i] = under_way_[i].number;
        turns[i] = 0;
      } else if (++turns[i] == kTurns) {
        complain(rank_, message_(under_way_[i].what, who + " is gone"));
        await_stop(kPeersDeathSeen);
        std::_Exit(1);
      }
    }
  }
}

}  // namespace ddp::worker

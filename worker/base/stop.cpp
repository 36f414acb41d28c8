#include "worker/base/stop.hpp"

#include "worker/base/failure.hpp"

#include <poll.h>
#include <signal.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

namespace ddp::worker {
namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

extern "C" void note_stop(int) { requested.store(true, std::memory_order_relaxed); }

}  // namespace

void watch_for_stop() {
  struct sigaction action {};
  action.sa_handler = note_stop;
  action.sa_flags = SA_RESTART;  // or system calls of Gloo and NCCL would fail with EINTR
  for (const int signal : {SIGTERM, SIGINT}) {
    if (::sigaction(signal, &action, nullptr) != 0)
      throw Failure(std::string("sigaction: ") + std::strerror(errno));
  }
}

void await_stop(std::chrono::milliseconds at_most) {
  // Polls, because the signal may go to another thread and then does not wake this one.
  constexpr std::chrono::milliseconds kTurn{5};
  for (auto waited = kTurn; !stop_requested() && waited <= at_most; waited += kTurn)
    ::poll(nullptr, 0, static_cast<int>(kTurn.count()));
}

bool stop_requested() { return requested.load(std::memory_order_relaxed); }

}  // namespace ddp::worker

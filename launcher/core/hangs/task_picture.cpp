#include "launcher/core/hangs/task_picture.hpp"

#include <algorithm>

namespace ddp::core {
namespace {

// Of one core. Threads that only poll need a few per cent.
constexpr double kComputes = 0.2;

const ThreadSample* find(const ProcessSample& sample, int tid) {
  const auto found = std::find_if(sample.threads.begin(), sample.threads.end(),
                                  [&](const auto& thread) { return thread.tid == tid; });
  return found == sample.threads.end() ? nullptr : &*found;
}

}  // namespace

ProcessPicture picture_of(const ProcessSample& before, const ProcessSample& after) {
  ProcessPicture picture;
  if (after.threads.empty() || after.threads.front().state == 'Z' ||
      after.threads.front().state == 'X') {
    picture.activity = Activity::ended;
    return picture;
  }
  const auto& main = after.threads.front();
  picture.state = main.state;
  picture.wait_channel = main.wait_channel;
  picture.threads = static_cast<int>(after.threads.size());
  const double between = std::chrono::duration<double>(after.at - before.at).count();
  bool running = false;
  for (const auto& thread : after.threads) {
    const auto* const earlier = find(before, thread.tid);
    if (earlier == nullptr) continue;
    const double used = std::chrono::duration<double>(thread.cpu_time - earlier->cpu_time).count();
    const double share = between > 0 ? std::max(0.0, used / between) : 0;
    picture.cores += share;
    // A thread that waits for a core is R as well: on a busy machine its CPU time says little.
    running |= (thread.state == 'R' && earlier->state == 'R') || share >= kComputes;
  }
  if (main.state == 'T' || main.state == 't') {
    picture.activity = Activity::stopped;
  } else if (running) {
    picture.activity = Activity::running;
  } else {
    const auto* const earlier = find(before, main.tid);
    picture.activity = main.state == 'D' && earlier != nullptr && earlier->state == 'D'
                           ? Activity::uninterruptible
                           : Activity::sleeping;
  }
  return picture;
}

}  // namespace ddp::core

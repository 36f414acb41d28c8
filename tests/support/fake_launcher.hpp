// A minimal launcher side of sd_notify for one worker: every message is kept, a
// BARRIER=1 is answered.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ddp::test {

class FakeLauncher {
 public:
  // Called with each line before the barrier after it is answered; on another thread.
  using Handler = std::function<void(const std::string& line)>;
  explicit FakeLauncher(Handler handler = {});
  ~FakeLauncher();
  FakeLauncher(const FakeLauncher&) = delete;
  FakeLauncher& operator=(const FakeLauncher&) = delete;

  const std::string& address() const { return address_; }  // for NOTIFY_SOCKET

  // The lines so far, "X_DDP_STEP=3" and so on; complete once the worker has exited.
  std::vector<std::string> lines();
  std::size_t count(const std::string& line);           // how many are equal to `line`
  std::size_t count_prefixed(const std::string& text);  // how many begin with `text`

 private:
  void run();
  bool receive();

  Handler handler_;
  std::string directory_;
  std::string address_;
  int fd_ = -1;
  int stop_fd_ = -1;  // an eventfd: written, the thread reads what is queued and ends
  std::mutex mutex_;  // guards lines_
  std::vector<std::string> lines_;
  std::thread thread_;
};

}  // namespace ddp::test

#include "launcher/os/loop.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <utility>

namespace ddp::os {
namespace {

class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(boost::asio::io_context& io) : timer_(io) {}
  ~AsioTimer() override { ++*wait_; }

  void at(core::TimePoint when, std::function<void()> due) override {
    timer_.expires_at(when);
    timer_.async_wait(
        [wait = wait_, mine = ++*wait_, due = std::move(due)](boost::system::error_code cancelled) {
          if (!cancelled && *wait == mine) due();
        });
  }

  void cancel() override {
    ++*wait_;  // a handler that is queued already cannot be cancelled any more
    timer_.cancel();
  }

 private:
  boost::asio::steady_timer timer_;
  std::shared_ptr<std::uint64_t> wait_ = std::make_shared<std::uint64_t>(0);
};

}  // namespace

core::TimePoint AsioLoop::now() const { return std::chrono::steady_clock::now(); }
void AsioLoop::post(std::function<void()> call) { boost::asio::post(io_, std::move(call)); }
std::unique_ptr<Timer> AsioLoop::make_timer() { return std::make_unique<AsioTimer>(io_); }

}  // namespace ddp::os

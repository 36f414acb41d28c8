// An event loop with a clock that the test moves. What belongs to the output router, whose pipes
// and console are real, runs on `io`.
#pragma once

#include "launcher/os/loop.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace ddp::test {

class FakeLoop final : public os::Loop {
 public:
  core::TimePoint now() const override { return now_; }
  void post(std::function<void()> call) override { posted_.push_back(std::move(call)); }
  std::unique_ptr<os::Timer> make_timer() override { return std::make_unique<FakeTimer>(*this); }

  // Everything that can be done without time passing.
  void run() {
    for (bool any = true; any;) {
      any = false;
      while (!posted_.empty()) {
        const auto call = std::move(posted_.front());
        posted_.pop_front();
        call();
        any = true;
      }
      io.restart();
      any |= io.poll() > 0;
    }
  }

  void advance(core::Nanoseconds duration) {
    const auto until = now_ + duration;
    run();
    while (!waits_.empty() && waits_.begin()->first.first <= until) {
      now_ = std::max(now_, waits_.begin()->first.first);
      const auto due = std::move(waits_.begin()->second);
      waits_.erase(waits_.begin());
      due();
      run();
    }
    now_ = until;
  }

  // Whether anything is waited for.
  bool idle() const { return waits_.empty(); }

  boost::asio::io_context io{1};

 private:
  using Key = std::pair<core::TimePoint, std::uint64_t>;  // in order of their making

  class FakeTimer final : public os::Timer {
   public:
    explicit FakeTimer(FakeLoop& loop) : loop_(loop) {}
    ~FakeTimer() override { loop_.waits_.erase(key_); }
    void at(core::TimePoint when, std::function<void()> due) override {
      cancel();
      key_ = {when, ++loop_.made_};
      loop_.waits_.emplace(key_, std::move(due));
    }
    void cancel() override { loop_.waits_.erase(key_); }

   private:
    FakeLoop& loop_;
    Key key_{};
  };

  core::TimePoint now_ = std::chrono::steady_clock::now();
  std::uint64_t made_ = 0;
  std::map<Key, std::function<void()>> waits_;
  std::deque<std::function<void()>> posted_;
};

}  // namespace ddp::test

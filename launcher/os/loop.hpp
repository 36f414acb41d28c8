// The event loop as the rooms see it: the time, and what is called later. A test puts its own in
// its place, with a clock that it moves by hand.
#pragma once

#include "launcher/core/types.hpp"

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace ddp::os {

// One wait at a time. Its destruction cancels.
class Timer {
 public:
  virtual ~Timer() = default;
  // Calls `due` once, from the loop, at `when` or soon after; replaces the wait before.
  virtual void at(core::TimePoint when, std::function<void()> due) = 0;
  // What is not called yet is not called any more.
  virtual void cancel() = 0;
};

class Loop {
 public:
  virtual ~Loop() = default;
  virtual core::TimePoint now() const = 0;
  virtual void post(std::function<void()> call) = 0;
  virtual std::unique_ptr<Timer> make_timer() = 0;
};

// The real one; `io` is borrowed.
class AsioLoop final : public Loop {
 public:
  explicit AsioLoop(boost::asio::io_context& io) : io_(io) {}
  core::TimePoint now() const override;
  void post(std::function<void()> call) override;
  std::unique_ptr<Timer> make_timer() override;

 private:
  boost::asio::io_context& io_;
};

}  // namespace ddp::os

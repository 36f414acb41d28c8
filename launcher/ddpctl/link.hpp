// The client's end of a control socket. Every wait has a deadline.
#pragma once

#include "launcher/os/fd.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace ddp::ctl {

using Clock = std::chrono::steady_clock;

class Link {
 public:
  // None: no launch of this user listens at `path`.
  static std::optional<Link> open(const std::string& path, Clock::time_point deadline);

  // False: the launch is gone.
  bool send(const std::string& text, Clock::time_point deadline);
  // The next line without its newline. None: the deadline has passed, or the launch is gone.
  std::optional<std::string> line(std::optional<Clock::time_point> deadline);
  // Whether the last line() found the end of the connection.
  bool ended() const { return ended_; }

 private:
  explicit Link(os::ScopedFd socket) : socket_(std::move(socket)) {}
  bool wait(short events, std::optional<Clock::time_point> deadline);

  os::ScopedFd socket_;
  std::string received_;
  bool ended_ = false;
};

}  // namespace ddp::ctl

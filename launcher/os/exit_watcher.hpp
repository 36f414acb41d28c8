// Tells when one child ends. The only reaper of that child.
//
// A pidfd becomes readable when its process ends; waitid(P_PIDFD) then says how. The order in which
// epoll reports several pidfds is the order of the deaths. While a child is traced, readable can
// mean "not yet": asked again every 25 ms.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/fd.hpp"

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace ddp::os {

class ExitWatcher {
 public:
  using Handler = std::function<void(core::ExitStatus)>;

  // `handler` is called once, from the io_context, when the child has ended and is reaped.
  ExitWatcher(boost::asio::io_context& io, int pid, ScopedFd pidfd, Handler handler);
  ~ExitWatcher();  // stops watching; the child, if it lives, is no longer ours to reap
  ExitWatcher(const ExitWatcher&) = delete;
  ExitWatcher& operator=(const ExitWatcher&) = delete;

  int pid() const;
  // Ended and reaped: its pid may belong to another process by now.
  bool reaped() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::os

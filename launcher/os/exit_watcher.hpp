// Reports when one child exits. It alone reaps that child.
//
// A pidfd becomes readable when its process exits; waitid(P_PIDFD) then returns the status. epoll
// reports several pidfds in the order of the exits. While a child is traced, readable can mean "not
// yet": the watcher asks again every 25 ms.
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

  // Calls `handler` once, from the io_context, when the child has exited and is reaped.
  ExitWatcher(boost::asio::io_context& io, int pid, ScopedFd pidfd, Handler handler);
  ~ExitWatcher();  // stops watching; a child that is still alive is not reaped here any more
  ExitWatcher(const ExitWatcher&) = delete;
  ExitWatcher& operator=(const ExitWatcher&) = delete;

  int pid() const;
  // Whether the child is reaped: its pid may belong to another process by now.
  bool reaped() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::os

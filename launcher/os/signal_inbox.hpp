// The supervisor's signals, from the keeper's pipe and from its own signalfd, each request counted
// once.
//
// A terminal's Ctrl-C reaches keeper and supervisor, `kill` on the keeper only the keeper, `kill`
// on the supervisor only the supervisor. The number of requests is the larger of the two counts; no
// timing is involved.
#pragma once

#include "launcher/os/fd.hpp"

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace ddp::os {

class SignalInbox {
 public:
  struct Handlers {
    std::function<void(int signal)> stop;     // INT, TERM, HUP, QUIT; TERM when the keeper is gone
    std::function<void()> alone;              // the keeper is gone; a stop follows
    std::function<void(int signal)> forward;  // USR1, USR2: for the workers
    std::function<void()> child;              // CHLD: some child changed state
    std::function<void()> suspend;  // TSTP, from the keeper: suspend the workers, then yourself
  };
  SignalInbox(boost::asio::io_context& io, ScopedFd from_keeper, ScopedFd signal_fd,
              Handlers handlers);
  ~SignalInbox();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::os

// The launcher's end of sd_notify for one worker.
//
// Each worker has a socket of its own, so a message is attributed without asking for its sender's
// pid, which may be gone before it is read. Whoever cannot be the worker (another user) is not
// heard. However much is sent, a turn of the event loop reads a bounded number of messages.
#pragma once

#include "common/notify_message.hpp"
#include "common/result.hpp"

#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::os {

class NotifySocket {
 public:
  using Handler = std::function<void(const NotifyMessage&)>;

  // Binds `path`, which must not exist, and leaves it to whoever removes its directory. A BARRIER=1
  // is answered (its descriptor closed) after `handler` returned.
  static Result<std::unique_ptr<NotifySocket>> open(boost::asio::io_context& io,
                                                    const std::string& path, Handler handler);
  ~NotifySocket();

  // Drops what is queued: between two generations, so that nothing of the last is taken for the
  // next.
  void discard_queued();

 private:
  class Impl;
  explicit NotifySocket(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::os

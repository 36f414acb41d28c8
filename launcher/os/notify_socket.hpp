// The socket on which the launcher receives one worker's sd_notify messages.
//
// Each worker has a separate socket, so a message is attributed without its sender's pid: that
// process may be gone before the message is read. Messages from other users are dropped. However
// much is sent, one turn of the event loop reads a bounded number of messages.
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

  // Binds `path`, which must not exist; the caller removes it with its directory. A BARRIER=1 is
  // answered (its descriptor is closed) after `handler` returns.
  static Result<std::unique_ptr<NotifySocket>> open(boost::asio::io_context& io,
                                                    const std::string& path, Handler handler);
  ~NotifySocket();

  // Drops the queued messages. Call between two attempts, so that no message of the last one counts
  // for the next.
  void discard_queued();

 private:
  class Impl;
  explicit NotifySocket(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::os

// One connection of the control socket: reads a request, waits for its answer, writes it, and reads
// the next. It reads nothing while it owes an answer, so that a client that floods waits in its own
// socket.
//
// It is closed when a request is not complete kPatience after the connection or the answer before
// it, when the client takes nothing of an answer for as long, and at the client's end.
#pragma once

#include "launcher/control/client.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/loop.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::control {

inline constexpr std::chrono::seconds kPatience{5};

class Connection : public Client {
 public:
  struct Handlers {
    // A request of one line is there; answer() is due.
    std::function<void(const std::shared_ptr<Connection>&, std::string line)> requested;
    // Called once, whoever closed it.
    std::function<void(const Connection*)> closed;
  };
  // `io` and `loop`, which runs on it, are borrowed.
  static std::shared_ptr<Connection> make(boost::asio::io_context& io, os::Loop& loop,
                                          os::ScopedFd socket, core::Requester requester,
                                          Handlers handlers);

  virtual void start() = 0;
  // Its last answer, instead of any request.
  virtual void turn_away(std::string line) = 0;
  // Calls no handler any more.
  virtual void close() = 0;
};

}  // namespace ddp::control

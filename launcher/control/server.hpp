// The control socket of a launch. While no client is connected it costs one descriptor and never
// wakes the launcher.
//
// A client that stalls, floods or leaves must not delay supervision: at most kMostClients are
// connected, requests are answered one at a time, and between two of them the loop has at least
// four times as long for everything else, kPause at the least. Connections are accepted at the same
// pace.
#pragma once

#include "launcher/control/client.hpp"
#include "launcher/control/protocol.hpp"
#include "launcher/os/loop.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::control {

inline constexpr std::size_t kMostClients = 16;
inline constexpr std::chrono::milliseconds kPause{1};

// Whether a process of `uid` may control a launch of `own`: the same user, and root.
bool may_control(unsigned uid, unsigned own);

class Server {
 public:
  // Called with each well-formed request; the client waits for its answer.
  using Serve = std::function<void(const Request&, const std::shared_ptr<Client>&)>;
  // `io` and `loop`, which runs on it, are borrowed.
  Server(boost::asio::io_context& io, os::Loop& loop, Serve serve);
  ~Server();

  // Listens in `directory`, with mode 0600. Empty, or why not.
  std::string open(const std::string& directory);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::control

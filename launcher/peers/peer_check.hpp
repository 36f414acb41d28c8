// Room: launcher/peers. Whether the machines of a job were started alike: ranks that count
// different worlds wait for each other without a word.
// Includes: common, launcher/core. Included by: launcher/supervisor.
//
// Node 0 listens on a separate port; each other machine connects there once, and both send one
// line (launcher/peers/layout.hpp). Nothing waits for it: where the port is in use or filtered, the
// launch goes on unchecked. Strangers are disconnected, after 5 s at most.
#pragma once

#include "launcher/core/ranks.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace ddp {

class PeerCheck {
 public:
  struct Config {
    core::RankGroup ranks;
    std::vector<std::string> addresses;  // of node 0, numeric
    bool is_name = false;                // they were found by a name
    std::uint16_t master_port = 0;
    std::string run_id;     // empty: not given
    std::string launch_id;  // of this launch alone
  };
  // Called with what is wrong, at most once a machine.
  using Disagree = std::function<void(const std::string& what)>;

  // `io` is borrowed.
  PeerCheck(boost::asio::io_context& io, Config config, Disagree disagree);
  ~PeerCheck();

  // On node 0, listens until every other machine has reported; elsewhere, connects, again and again
  // for ten minutes.
  void start();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// 1000 below MASTER_PORT, so that jobs on neighbouring ports have different ones; above where that
// is a privileged port.
std::uint16_t peer_port(std::uint16_t master_port);

}  // namespace ddp

// A TCP port that is kept free for the workers' rendezvous.
//
// A socket bound with SO_REUSEADDR that never listens: another socket with SO_REUSEADDR (PyTorch's
// TCPStore, our worker's store) can still bind and listen on the port, over IPv4 and IPv6, while
// the kernel does not hand it out to anyone who asks for any port, and two launches never get the
// same one.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"

#include <cstdint>

namespace ddp::os {

class PortReservation {
 public:
  static Result<PortReservation> any();
  std::uint16_t port() const { return port_; }

 private:
  PortReservation(ScopedFd socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}
  ScopedFd socket_;
  std::uint16_t port_ = 0;
};

}  // namespace ddp::os

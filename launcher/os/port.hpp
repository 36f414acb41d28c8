// A TCP port that is reserved for the workers' rendezvous.
//
// The port is chosen at random outside the range from which the kernel assigns ports, so no program
// that asks for any port gets it. The name of an abstract unix socket keeps other launches in the
// same network namespace away; the kernel frees it when the launcher exits. Nothing is bound to the
// port itself, so rank 0 can bind it with or without SO_REUSEADDR, over IPv4 and IPv6. One race
// remains: a program that asks for exactly this port between the probe and rank 0's bind.
//
// Where the kernel's range leaves too few ports, the kernel chooses one, and a socket that is bound
// with SO_REUSEADDR and never listens holds it. Then rank 0 must set SO_REUSEADDR too, as PyTorch's
// TCPStore and our worker's store do.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"

#include <cstdint>
#include <string>

namespace ddp::os {

// First and last port, both included.
struct PortRange {
  int first = 0;
  int last = -1;
};

// The ports that the kernel assigns: net.ipv4.ip_local_port_range, which holds for IPv6 too. All
// ports where that cannot be read.
PortRange automatic_ports(const std::string& path = "/proc/sys/net/ipv4/ip_local_port_range");

// The ports for reservations: those above the automatic range, or else the largest part below it
// without Kubernetes' node ports (30000-32767) and the ports below 10000. Empty where too few are
// left.
PortRange reservable_ports(PortRange automatic);

class PortReservation {
 public:
  // Reserves a port until the object is destroyed.
  static Result<PortReservation> any() { return any(automatic_ports()); }
  static Result<PortReservation> any(PortRange automatic);
  std::uint16_t port() const { return port_; }

 private:
  PortReservation(ScopedFd socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}
  static Result<PortReservation> by_socket();
  ScopedFd socket_;  // the abstract name, or the port itself
  std::uint16_t port_ = 0;
};

}  // namespace ddp::os

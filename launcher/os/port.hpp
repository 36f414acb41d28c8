// A TCP port that is kept free for the workers' rendezvous.
//
// The port is drawn from outside the range from which the kernel hands out ports, so no program
// that asks for any port gets it. Other launches in the same network namespace are kept off by the
// name of an abstract unix socket, which the kernel frees with the launcher. Nothing is bound to
// the port itself, so rank 0 can bind it with SO_REUSEADDR and without, over IPv4 and IPv6.
// Left open: a program that asks for that very number between the probe and rank 0's bind.
//
// Where the kernel's range leaves too few ports, a socket bound with SO_REUSEADDR that never
// listens holds one of the kernel's choice: then rank 0 must set SO_REUSEADDR too, as PyTorch's
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

// From which the kernel hands out ports: net.ipv4.ip_local_port_range, which counts for IPv6 too.
// Every port where that cannot be read.
PortRange automatic_ports(const std::string& path = "/proc/sys/net/ipv4/ip_local_port_range");

// From which reservations are drawn: above the automatic range, else the largest part below it
// without Kubernetes' node ports (30000-32767) and what lies below 10000. Empty: too few are left.
PortRange reservable_ports(PortRange automatic);

class PortReservation {
 public:
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

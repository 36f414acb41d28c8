// What the kernel reports about addresses and ports of this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp::os {

// The name of this machine; empty where the kernel does not say.
std::string host_name();

// Addresses are numeric: "10.0.0.1", "::1", "fe80::1%eth0".

// Whether an interface of this network namespace has the address. True where the kernel cannot
// answer.
bool is_own_address(const std::string& address);

// Whether no process could listen on this port of this address ("": of every address), not even
// with SO_REUSEADDR. A socket that is bound with SO_REUSEADDR and does not listen blocks no other.
// The test only binds and never listens, so no rank can connect to it.
bool port_is_in_use(const std::string& address, std::uint16_t port);

// A process with a socket on a port.
struct PortUser {
  int pid = 0;
  std::string command;
};
// The processes that listen on the port; if none does, those that are bound to it or connected from
// it. From /proc/net/tcp and tcp6: sockets of other users, of other PID namespaces and of the
// kernel are not seen.
std::vector<PortUser> users_of_port(std::uint16_t port);

}  // namespace ddp::os

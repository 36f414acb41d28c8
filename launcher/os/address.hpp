// What this machine says about an address and a port of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp::os {

// Addresses are numeric: "10.0.0.1", "::1", "fe80::1%eth0".

// False only where the kernel says that no interface of this network namespace has it.
bool is_own_address(const std::string& address);

// Whether nobody could listen at this port of this address ("": of every one), not even with
// SO_REUSEADDR. A socket that is bound with that and does not listen is in nobody's way. Nothing
// listens here meanwhile, so no rank can connect to the test.
bool port_is_in_use(const std::string& address, std::uint16_t port);

// A process with a socket on a port.
struct PortUser {
  int pid = 0;
  std::string command;
};
// Those that listen on it, else those that are bound to it or connected from it, by /proc/net/tcp
// and tcp6. Those of other users, PID namespaces or the kernel are not seen.
std::vector<PortUser> users_of_port(std::uint16_t port);

}  // namespace ddp::os

// A request of a user to a running launch (docs/ddpctl.md).
#pragma once

#include <string>

namespace ddp::core {

// The process that made it.
struct Requester {
  int pid = 0;
  unsigned uid = 0;
  std::string user;  // its name, or its number

  friend bool operator==(const Requester&, const Requester&) = default;
};

// A signal that a user had sent to a rank.
struct RequestedSignal {
  int signal = 0;
  Requester by;
};

}  // namespace ddp::core

// Where NCCL's RAS (reliability, availability, serviceability; NCCL 2.24 and later) of this launch
// answers clients on this machine.
//
// NCCL's default is localhost:28028, where the RAS of every job of the machine would listen: each
// process of a launch listens on the address with SO_REUSEPORT, and the kernel spreads clients over
// them. A port of this launch alone keeps jobs apart. It is the same for all attempts, of which
// only one has processes at a time. NCCL sets SO_REUSEADDR too, so that it can bind the port also
// where a socket has to hold it (launcher/os/port.hpp), tried with several listeners.
#pragma once

#include "launcher/os/port.hpp"

#include <optional>
#include <string>

namespace ddp {

class RasAddress {
 public:
  // The user's in the environment block `parent`, or else 127.0.0.1 with a port that is reserved
  // while this exists.
  explicit RasAddress(const char* const* parent);

  // "127.0.0.1:4711"; empty: RAS is switched off, or no port could be reserved.
  const std::string& text() const { return text_; }

 private:
  std::optional<os::PortReservation> port_;
  std::string text_;
};

// "127.0.0.1:<port>".
std::string ras_address_text(const std::string& port);

}  // namespace ddp

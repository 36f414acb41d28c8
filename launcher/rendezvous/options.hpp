// Where the ranks of a job meet, and what the job is called.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ddp {

struct RendezvousOptions {
  std::string master_addr = "127.0.0.1";
  std::optional<std::uint16_t> master_port;  // none: a fresh reserved one each attempt
  std::string run_id;                        // never empty after parsing
};

}  // namespace ddp

// torchrun's --rdzv-endpoint: HOST, HOST:PORT or [IPV6]:PORT.
#pragma once

#include "common/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ddp {

struct Endpoint {
  std::string host;                   // as workers get it in MASTER_ADDR
  std::optional<std::uint16_t> port;  // 0: any, which is good for one machine alone
};

// The error says what is expected instead, for refusal().
Result<Endpoint> read_endpoint(std::string_view text);

}  // namespace ddp

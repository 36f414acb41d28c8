// --master-addr as text: an IP address or a host name, without a port.
#pragma once

#include "common/result.hpp"

#include <string>
#include <string_view>

namespace ddp {

struct MasterAddress {
  std::string text;      // as workers get it in MASTER_ADDR: an IPv6 address without brackets
  bool literal = false;  // an IP address, not a name
};

// IPv4 in four parts; IPv6, in brackets or not, with a zone or not (fe80::1%eth0); or a name of up
// to 253 letters, digits, '-', '.' and '_'. The error says what is expected instead, for refusal().
Result<MasterAddress> read_master_address(std::string_view text);

}  // namespace ddp

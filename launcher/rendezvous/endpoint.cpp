#include "launcher/rendezvous/endpoint.hpp"

#include "common/parse.hpp"
#include "launcher/rendezvous/master_addr.hpp"

namespace ddp {

Result<Endpoint> read_endpoint(std::string_view text) {
  constexpr const char* kExpected = "HOST, HOST:PORT or [IPV6]:PORT, with a port of at most 65535";
  // A colon in an IPv6 address without brackets separates no port.
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool has_port =
      colon != std::string_view::npos &&
      (bracketed ? text.substr(0, colon).ends_with(']') : text.find(':') == colon);
  Endpoint endpoint;
  if (has_port) {
    const auto port = parse_integer("", text.substr(colon + 1), 0, 65535);
    if (!port) return Error{kExpected};
    endpoint.port = static_cast<std::uint16_t>(*port);
    text = text.substr(0, colon);
  }
  const auto address = read_master_address(text);
  if (!address) return Error{kExpected};
  endpoint.host = address->text;
  return endpoint;
}

}  // namespace ddp

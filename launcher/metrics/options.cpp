#include "launcher/metrics/options.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string_view>

namespace ddp::metrics {
namespace {

constexpr std::string_view kMetrics = "Metrics";

constexpr FlagSpec kFlags[] = {
    {"--metrics", "[ADDR:]PORT", ValueKind::number, "none", kMetrics,
     "serve metrics for Prometheus at http://ADDR:PORT/metrics while the run lasts; ADDR is an IP "
     "address (IPv6 in brackets), 127.0.0.1 by default; port 0 is any free one"},
    {"--metrics-file", "FILE", ValueKind::text, "none", kMetrics,
     "keep the same metrics in FILE, for node_exporter's textfile collector: name it *.prom"},
};

constexpr std::string_view kAllowed =
    "PORT or ADDR:PORT, with an IP address (IPv6 in brackets) or localhost, and a port from 0 to "
    "65535";

bool is_address(int family, const std::string& text) {
  in6_addr address;  // the larger of the two
  return ::inet_pton(family, text.c_str(), &address) == 1;
}

Result<Endpoint> parse(const Setting& setting) {
  const std::string& text = setting.text;
  const std::size_t colon = text.rfind(':');
  Endpoint endpoint{.what = setting.what};
  const std::string_view port =
      colon == std::string::npos ? text : std::string_view(text).substr(colon + 1);
  const auto number = parse_integer(setting.what, port, 0, 65535);
  if (!number) return refusal(setting, kAllowed);
  endpoint.port = static_cast<std::uint16_t>(*number);
  const std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  if (host.empty() || host == "localhost") return endpoint;
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  endpoint.address = bracketed ? host.substr(1, host.size() - 2) : host;
  if (!is_address(bracketed ? AF_INET6 : AF_INET, endpoint.address))
    return refusal(setting, kAllowed);
  return endpoint;
}

}  // namespace

std::span<const FlagSpec> flags() { return kFlags; }

Failure read(const SettingsReader& reader, Options& options) {
  if (const Setting* const setting = reader.given("--metrics")) {
    auto endpoint = parse(*setting);
    if (!endpoint) return Error{endpoint.error()};
    options.endpoint = std::move(*endpoint);
  }
  return reader.file_to_write("--metrics-file", options.file);
}

}  // namespace ddp::metrics

#include "launcher/rendezvous/master_addr.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace ddp {
namespace {

constexpr std::size_t kLongestName = 253;   // RFC 1035, in text
constexpr std::size_t kLongestLabel = 63;   // RFC 1035
constexpr std::size_t kLongestZone = 15;    // IFNAMSIZ without the final 0
constexpr std::size_t kLongestNumber = 10;  // of a 32-bit address written as one number

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_plain(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}
bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  const auto percent = text.find('%');
  const std::string zone = percent == std::string::npos ? "" : text.substr(percent + 1);
  const bool good_zone =
      percent == std::string::npos ||
      (!zone.empty() && zone.size() <= kLongestZone &&
       std::all_of(zone.begin(), zone.end(), [](char c) { return is_plain(c) || c == '.'; }));
  in6_addr address{};
  return good_zone && ::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &address) == 1;
}

// "1.2.3", "256.1.1.1", "2130706433": what inet_aton might read as an address, or what nothing
// reads. Digits alone that are too many for that are a name, such as a container's.
bool is_number(std::string_view text) {
  const bool dotted = text.find('.') != std::string_view::npos;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; }) &&
         (dotted || text.size() <= kLongestNumber);
}

bool is_name(std::string_view text) {
  if (text.size() > kLongestName) return false;
  if (text.ends_with('.')) text.remove_suffix(1);  // a name that is complete
  while (true) {
    const auto dot = text.find('.');
    const auto label = text.substr(0, dot);
    if (label.empty() || label.size() > kLongestLabel || label.front() == '-' ||
        label.back() == '-' || !std::all_of(label.begin(), label.end(), is_plain))
      return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

Error malformed() { return Error{"a host name or an IP address"}; }
Error with_port(std::string_view host, std::string_view port) {
  return Error{"a host name or an IP address without a port: --master-addr " + std::string(host) +
               " --master-port " + std::string(port)};
}

}  // namespace

Result<MasterAddress> read_master_address(std::string_view text) {
  std::string whole(text);
  if (whole.find('\0') != std::string::npos) return malformed();
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return malformed();
    const std::string inside(text.substr(1, close - 1));
    if (!is_ipv6(inside)) return malformed();
    const auto rest = text.substr(close + 1);
    if (rest.empty()) return MasterAddress{inside, true};
    if (rest.front() == ':' && all_digits(rest.substr(1))) return with_port(inside, rest.substr(1));
    return malformed();
  }
  if (is_ipv4(whole) || is_ipv6(whole)) return MasterAddress{std::move(whole), true};
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    const auto host = text.substr(0, colon);
    const auto port = text.substr(colon + 1);
    const bool good_host = is_ipv4(std::string(host)) || (is_name(host) && !is_number(host));
    return good_host && all_digits(port) ? with_port(host, port) : malformed();
  }
  if (text.empty() || is_number(text) || !is_name(text)) return malformed();
  return MasterAddress{std::move(whole), false};
}

}  // namespace ddp

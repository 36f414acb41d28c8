// --metrics and --metrics-file.
#pragma once

#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace ddp::metrics {

// Where metrics are served.
struct Endpoint {
  std::string address = "127.0.0.1";  // numeric, without brackets
  std::uint16_t port = 0;             // 0: any free one
  std::string what;                   // in messages: "--metrics", or the place in a file

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Options {
  std::optional<Endpoint> endpoint;  // none: they are not served
  std::string file;                  // empty: none is written
  bool any() const { return endpoint || !file.empty(); }
};

std::span<const FlagSpec> flags();
Failure read(const SettingsReader& reader, Options& options);

}  // namespace ddp::metrics

// --bind, --numa-binding, --report-bindings.
#pragma once

#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <string>

namespace ddp {

// What a rank is bound to (launcher/placement/placement.hpp).
enum class Binding { none, core, l3, numa, socket, exclusive };

struct PlacementOptions {
  Binding binding = Binding::none;
  std::string name = "--bind none";  // as it was given, for messages
  bool report = false;               // --report-bindings
};

std::span<const FlagSpec> placement_flags();
Failure read_placement(const SettingsReader& reader, PlacementOptions& options);

}  // namespace ddp

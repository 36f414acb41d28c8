#include "launcher/placement/options.hpp"

namespace ddp {
namespace {

constexpr std::string_view kPlacement = "Where ranks run";

constexpr FlagSpec kFlags[] = {
    {"--bind", "TO", ValueKind::text, "none", kPlacement,
     "bind each rank to CPUs, and its memory to their NUMA node: none, core, l3, numa, socket or "
     "exclusive (an equal share of the node's cores); near its GPU where that is known"},
    {"--numa-binding", "TO", ValueKind::text, "none", kPlacement,
     "torchrun's names for it: node (numa), socket, exclusive, core-complex (l3)"},
    {"--report-bindings", "", ValueKind::toggle, "off", kPlacement,
     "print each rank's CPUs and NUMA node at the start"},
};

}  // namespace

std::span<const FlagSpec> placement_flags() { return kFlags; }

Failure read_placement(const SettingsReader& reader, PlacementOptions& options) {
  options.report = reader.toggle("--report-bindings");
  if (auto failure = reader.choice<Binding>("--bind",
                                            {{"none", Binding::none},
                                             {"core", Binding::core},
                                             {"l3", Binding::l3},
                                             {"numa", Binding::numa},
                                             {"socket", Binding::socket},
                                             {"exclusive", Binding::exclusive}},
                                            options.binding))
    return failure;
  const Setting* const bind = reader.given("--bind");
  if (bind != nullptr) options.name = "--bind " + bind->text;

  Binding torchruns = options.binding;
  if (auto failure = reader.choice<Binding>("--numa-binding",
                                            {{"node", Binding::numa},
                                             {"socket", Binding::socket},
                                             {"exclusive", Binding::exclusive},
                                             {"core-complex", Binding::l3}},
                                            torchruns))
    return failure;
  const Setting* const numa = reader.given("--numa-binding");
  if (numa == nullptr) return std::nullopt;
  if (bind != nullptr && torchruns != options.binding)
    return refusal(*numa, "what " + bind->what + " says, which is '" + bind->text +
                              "'; one of the two is enough");
  options.binding = torchruns;
  if (bind == nullptr) options.name = "--numa-binding " + numa->text;
  return std::nullopt;
}

}  // namespace ddp

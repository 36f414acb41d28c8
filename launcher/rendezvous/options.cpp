#include "launcher/rendezvous/options.hpp"

#include "launcher/rendezvous/master_addr.hpp"
#include "launcher/rendezvous/run_id.hpp"

namespace ddp {
namespace {

constexpr std::int64_t kMostNodes = 65536;

constexpr std::string_view kNodes = "Several machines";

constexpr FlagSpec kFlags[] = {
    {"--nnodes", "N", ValueKind::number, "1", kNodes,
     "machines in the job, 1 to 65536; start ddp-launch on each"},
    {"--node-rank", "N", ValueKind::number, "0", kNodes, "number of this machine, 0 to nnodes-1"},
    {"--master-addr", "HOST", ValueKind::text, "127.0.0.1", kNodes,
     "where rank 0 listens: a host name or an IP address, without a port"},
    {"--master-port", "PORT", ValueKind::number, "a fresh one each attempt", kNodes,
     "the port it listens on, 1 to 65535"},
    {"--run-id", "NAME", ValueKind::text, "generated", kNodes,
     "name of the run: up to 64 letters, digits, '.', '_' and '-'; the same on every machine"},
};

Failure node_rank(const SettingsReader& reader, core::RankGroup& ranks) {
  const Setting* const node = reader.given("--node-rank");
  if (node == nullptr) return std::nullopt;
  const auto rank = parse_integer(node->what, node->text, 0, kMostNodes - 1);
  if (!rank) return Error{rank.error()};
  if (*rank >= ranks.nnodes) {
    const std::string allowed =
        ranks.nnodes == 1 ? "0" : "0 to " + std::to_string(ranks.nnodes - 1);
    return refusal(*node, allowed + ", because --nnodes is " + std::to_string(ranks.nnodes));
  }
  ranks.node_rank = static_cast<int>(*rank);
  return std::nullopt;
}

}  // namespace

std::span<const FlagSpec> rendezvous_flags() { return kFlags; }

Failure read_rendezvous(const SettingsReader& reader, core::RankGroup& ranks,
                        RendezvousOptions& options) {
  if (auto failure = reader.integer("--nnodes", 1, kMostNodes, ranks.nnodes)) return failure;
  if (auto failure = node_rank(reader, ranks)) return failure;
  const Setting* const addr = reader.given("--master-addr");
  const Setting* const port = reader.given("--master-port");
  if (ranks.nnodes > 1 && (addr == nullptr || port == nullptr)) {
    const std::string missing = addr == nullptr && port == nullptr
                                    ? "--master-addr and --master-port"
                                : addr == nullptr ? "--master-addr"
                                                  : "--master-port";
    const Setting& nnodes = *reader.given("--nnodes");
    return Error{nnodes.what + " is '" + nnodes.text + "': requires " + missing +
                 ", where rank 0 listens"};
  }
  if (addr != nullptr) {
    const auto address = read_master_address(addr->text);
    if (!address) return refusal(*addr, address.error());
    options.master_addr = address->text;
  }
  if (port != nullptr) {
    int number = 0;
    if (auto failure = reader.integer("--master-port", 1, 65535, number)) return failure;
    options.master_port = static_cast<std::uint16_t>(number);
  }
  return std::nullopt;
}

Failure read_run_id(const SettingsReader& reader, std::string& run_id) {
  const Setting* const setting = reader.given("--run-id");
  if (setting != nullptr && !is_run_id(setting->text)) return refusal(*setting, kRunIdRule);
  run_id = setting != nullptr ? setting->text : generate_run_id();
  return std::nullopt;
}

}  // namespace ddp

#include "launcher/rendezvous/options.hpp"

#include "launcher/rendezvous/endpoint.hpp"
#include "launcher/rendezvous/master_addr.hpp"
#include "launcher/rendezvous/run_id.hpp"

namespace ddp {
namespace {

constexpr std::int64_t kMostNodes = 65536;
constexpr std::string_view kNodesAllowed = "a number from 1 to 65536, or a range such as 2:2";

constexpr std::string_view kNodes = "Several machines";

constexpr FlagSpec kFlags[] = {
    {"--nnodes", "N|N:N", ValueKind::number, "1", kNodes,
     "machines in the job, 1 to 65536; start ddp-launch on each"},
    {"--node-rank", "N", ValueKind::number, "0", kNodes, "number of this machine, 0 to nnodes-1"},
    {"--master-addr", "HOST", ValueKind::text, "127.0.0.1", kNodes,
     "where rank 0 listens: a host name or an IP address, without a port"},
    {"--master-port", "PORT", ValueKind::number, "a fresh one each attempt", kNodes,
     "the port it listens on, 1 to 65535; with several machines 29500 by default"},
    {"--rdzv-endpoint", "HOST[:PORT]", ValueKind::text, "none", kNodes,
     "--master-addr and --master-port in one; has no effect on one machine, unless --rdzv-backend "
     "is static"},
    {"--rdzv-backend", "c10d|static", ValueKind::text, "c10d", kNodes,
     "c10d requires --node-rank if there are several machines; the port of --rdzv-endpoint is "
     "29400 by default, with static 29500"},
    {"--standalone", "", ValueKind::toggle, "off", kNodes,
     "run on this machine alone; --nnodes is 1"},
    {"--run-id,--rdzv-id", "NAME", ValueKind::text, "generated", kNodes,
     "name of the run: up to 64 letters, digits, '.', '_' and '-'; the same on every machine"},
};

// The ports that torchrun takes where none is given.
constexpr std::uint16_t kStaticPort = 29500;
constexpr std::uint16_t kC10dPort = 29400;

enum class Backend { c10d, fixed };

class RendezvousReader : SettingsReader {
 public:
  RendezvousReader(const SettingsReader& reader, core::RankGroup& ranks, RendezvousOptions& options,
                   std::vector<std::string>& notes)
      : SettingsReader(reader), ranks_(ranks), options_(options), notes_(notes) {}

  Failure run() {
    for (const auto step :
         {&RendezvousReader::nodes, &RendezvousReader::backend, &RendezvousReader::node_rank,
          &RendezvousReader::address, &RendezvousReader::port, &RendezvousReader::endpoint}) {
      if (auto failure = (this->*step)()) return failure;
    }
    return check_complete();
  }

 private:
  // "2", or torchrun's range "2:2"; one that lets machines come and go is refused.
  Failure nodes() {
    const bool standalone = toggle("--standalone");
    const Setting* const setting = given("--nnodes");
    if (setting == nullptr) return std::nullopt;
    const std::size_t colon = setting->text.find(':');
    Setting least = *setting;
    least.text = setting->text.substr(0, colon);
    const auto number = parse_integer(setting->what, least.text, 1, kMostNodes);
    if (!number) return refusal(*setting, kNodesAllowed);
    ranks_.nnodes = static_cast<int>(*number);
    if (colon != std::string::npos) {
      const auto most =
          parse_integer(setting->what, setting->text.substr(colon + 1), 1, kMostNodes);
      if (!most) return refusal(*setting, kNodesAllowed);
      if (*most != *number)
        return refusal(*setting, "a fixed number of machines, such as " + std::to_string(*most) +
                                     "; ddp-launch has no elastic rendezvous");
    }
    if (standalone && ranks_.nnodes > 1)
      return refusal(*setting, "1, because --standalone runs on this machine alone");
    return std::nullopt;
  }

  Failure backend() {
    const Setting* const setting = given("--rdzv-backend");
    if (setting == nullptr) return std::nullopt;
    if (setting->text == "static") {
      backend_ = Backend::fixed;
    } else if (setting->text != "c10d") {
      return refusal(*setting,
                     "static or c10d; ddp-launch uses no rendezvous server: give each machine its "
                     "--node-rank, and all of them the same --rdzv-endpoint");
    }
    return std::nullopt;
  }

  Failure node_rank() {
    const Setting* const node = given("--node-rank");
    if (node == nullptr) return std::nullopt;
    const auto rank = parse_integer(node->what, node->text, 0, kMostNodes - 1);
    if (!rank) return Error{rank.error()};
    if (*rank >= ranks_.nnodes) {
      const std::string allowed =
          ranks_.nnodes == 1 ? "0" : "0 to " + std::to_string(ranks_.nnodes - 1);
      return refusal(*node, allowed + ", because --nnodes is " + std::to_string(ranks_.nnodes));
    }
    ranks_.node_rank = static_cast<int>(*rank);
    return std::nullopt;
  }

  Failure address() {
    const Setting* const addr = given("--master-addr");
    if (addr == nullptr) return std::nullopt;
    const auto address = read_master_address(addr->text);
    if (!address) return refusal(*addr, address.error());
    options_.master_addr = address->text;
    return std::nullopt;
  }

  Failure port() {
    if (given("--master-port") == nullptr) return std::nullopt;
    int number = 0;
    if (auto failure = integer("--master-port", 1, 65535, number)) return failure;
    options_.master_port = static_cast<std::uint16_t>(number);
    return std::nullopt;
  }

  Failure endpoint() {
    const Setting* const setting = given("--rdzv-endpoint");
    if (setting == nullptr) return std::nullopt;
    const auto endpoint = read_endpoint(setting->text);
    if (!endpoint) return refusal(*setting, endpoint.error());
    const bool fixed = backend_ == Backend::fixed;
    // Without it torchrun's agents on one machine would not find each other; there are none here.
    if (ranks_.nnodes == 1 && !fixed) {
      notes_.push_back(setting->what +
                       " has no effect on one machine: rank 0 listens on a free port");
      return std::nullopt;
    }
    if (endpoint->port == 0) return refusal(*setting, "a port from 1 to 65535");
    const std::uint16_t port = endpoint->port.value_or(fixed ? kStaticPort : kC10dPort);
    if (given("--master-addr") != nullptr && options_.master_addr != endpoint->host)
      return refusal(*setting, "the host of --master-addr, " + options_.master_addr +
                                   ", or one of the two flags alone");
    if (options_.master_port && options_.master_port != port)
      return refusal(*setting, "the port of --master-port, " +
                                   std::to_string(*options_.master_port) +
                                   ", or one of the two flags alone");
    options_.master_addr = endpoint->host;
    options_.master_port = port;
    options_.from_endpoint = true;
    return std::nullopt;
  }

  // Several machines agree on an address, and each has its number.
  Failure check_complete() {
    if (ranks_.nnodes == 1) return std::nullopt;
    const Setting& nnodes = *given("--nnodes");
    const bool agreed = given("--master-addr") != nullptr || options_.from_endpoint;
    if (!agreed)
      return Error{nnodes.what + " is '" + nnodes.text +
                   "': requires --master-addr, where rank 0 listens"};
    const bool numbered_by_torchrun = given("--rdzv-backend") != nullptr || options_.from_endpoint;
    if (backend_ == Backend::c10d && numbered_by_torchrun && given("--node-rank") == nullptr)
      return Error{nnodes.what + " is '" + nnodes.text +
                   "': requires --node-rank, 0 on the machine of the endpoint; ddp-launch does not "
                   "number machines itself"};
    if (!options_.master_port) options_.master_port = kStaticPort;
    return std::nullopt;
  }

  core::RankGroup& ranks_;
  RendezvousOptions& options_;
  std::vector<std::string>& notes_;
  Backend backend_ = Backend::c10d;
};

}  // namespace

std::span<const FlagSpec> rendezvous_flags() { return kFlags; }

Failure read_rendezvous(const SettingsReader& reader, core::RankGroup& ranks,
                        RendezvousOptions& options, std::vector<std::string>& notes) {
  return RendezvousReader(reader, ranks, options, notes).run();
}

Failure read_run_id(const SettingsReader& reader, RendezvousOptions& options) {
  const Setting* const setting = reader.given("--run-id");
  if (setting != nullptr && !is_run_id(setting->text)) return refusal(*setting, kRunIdRule);
  options.run_id_given = setting != nullptr;
  options.run_id = setting != nullptr ? setting->text : generate_run_id();
  return std::nullopt;
}

}  // namespace ddp

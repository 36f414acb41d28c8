#include "launcher/rendezvous/check.hpp"

#include "common/utf8.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/rendezvous/master_addr.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace ddp {
namespace {

using Answer = os::Lookup::Answer;

ExitNow refused(int code, const std::string& why) {
  return ExitNow{code, "ddp-launch: " + without_controls(why) + "\n"};
}

// "--master-port is '29500'", or where in a file it is set.
std::string named(const Setting* setting, const std::string& flag, const std::string& value) {
  return setting != nullptr ? setting->what + " is '" + setting->text + "'"
                            : flag + " is '" + value + "'";
}

std::string names_of(const std::vector<os::PortUser>& users) {
  constexpr std::size_t kMostNamed = 3;
  if (users.empty())
    return "; no process that uses it is visible here (another user's or container's, or a "
           "connection that has just ended)";
  std::string text = " by ";
  for (std::size_t i = 0; i < std::min(users.size(), kMostNamed); ++i)
    text += (i == 0 ? "" : ", ") + users[i].command + " (pid " + std::to_string(users[i].pid) + ")";
  if (users.size() > kMostNamed)
    text += " and " + std::to_string(users.size() - kMostNamed) + " more";
  return text;
}

}  // namespace

std::optional<ExitNow> check_rendezvous(const Settings& settings, const Network& network,
                                        const core::RankGroup& ranks, RendezvousOptions& options,
                                        std::vector<std::string>& warnings) {
  const std::string& host = options.master_addr;
  const Setting* const addr =
      settings.get(options.from_endpoint ? "--rdzv-endpoint" : "--master-addr");
  const auto read = read_master_address(host);
  const bool literal = read && read->literal;

  std::vector<std::string> addresses;
  if (literal) {
    addresses = {host};
  } else if (host == "localhost") {
    addresses = {"127.0.0.1", "::1"};
  } else if (network.look_up) {
    const os::Lookup found = network.look_up(host);
    addresses = found.addresses;
    options.resolved = true;
    // Rank 0's machine knows its own name; others may be up before it is published (a Kubernetes
    // headless service answers when the pod is ready).
    if (found.answer == Answer::not_found && ranks.node_rank == 0)
      return refused(core::kUsage, named(addr, "--master-addr", host) +
                                       ": expected a name that resolves on this machine; 'getent "
                                       "ahosts " +
                                       host + "' finds no such host");
    if (found.answer == Answer::no_answer || found.answer == Answer::not_found)
      warnings.push_back(named(addr, "--master-addr", host) +
                         ", which could not be resolved on this machine ('getent ahosts " + host +
                         "': " + (found.why.empty() ? "no such host" : found.why) +
                         "); continuing, because the workers may be able to");
  }

  options.addresses = addresses;

  // Rank 0 listens here, or on another machine where nothing can be asked.
  if (ranks.node_rank != 0) return std::nullopt;
  if (addr != nullptr && network.is_own_address) {
    const auto foreign = std::partition(addresses.begin(), addresses.end(), network.is_own_address);
    if (foreign == addresses.begin() && foreign != addresses.end()) {
      const std::string shown = literal ? host : host + " (" + *foreign + ")";
      warnings.push_back("--master-addr " + shown +
                         " is no address of this machine, where rank 0 runs; check it and "
                         "--node-rank, unless it is "
                         "forwarded here");
    }
    addresses.erase(foreign, addresses.end());
  }
  if (!options.master_port || !network.port_is_in_use) return std::nullopt;
  const std::uint16_t port = *options.master_port;
  if (addresses.empty()) addresses.emplace_back();  // rank 0 has to listen at all of them
  const auto taken = std::find_if(
      addresses.begin(), addresses.end(),
      [&](const std::string& address) { return network.port_is_in_use(address, port); });
  if (taken == addresses.end()) return std::nullopt;
  const auto users =
      network.users_of_port ? network.users_of_port(port) : std::vector<os::PortUser>();
  return refused(core::kSystemRefused,
                 named(settings.get(options.from_endpoint ? "--rdzv-endpoint" : "--master-port"),
                       "--master-port", std::to_string(port)) +
                     ", which is in use on this machine" + names_of(users) +
                     ": rank 0 could not listen there; stop what uses it or choose another port");
}

}  // namespace ddp

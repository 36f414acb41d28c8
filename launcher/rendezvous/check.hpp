// What can be known about the rendezvous before anything starts: whether the name of --master-addr
// resolves, whether it is this machine where rank 0 runs, and whether its port is free.
#pragma once

#include "launcher/core/ranks.hpp"
#include "launcher/os/address.hpp"
#include "launcher/os/resolve.hpp"
#include "launcher/rendezvous/options.hpp"
#include "launcher/settings/settings.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

// What the network says (launcher/os/resolve.hpp, address.hpp). What is left empty is not asked.
struct Network {
  std::function<os::Lookup(const std::string& name)> look_up;
  std::function<bool(const std::string& address)> is_own_address;
  std::function<bool(const std::string& address, std::uint16_t port)> port_is_in_use;
  std::function<std::vector<os::PortUser>(std::uint16_t port)> users_of_port;
};

// A refusal: exit code 2 for a name that does not resolve, 71 for a port that is in use. What may
// be legitimate all the same becomes one of `warnings`; `options` gets the addresses. `settings`
// says where the values came from. Waits for a name that is slow to resolve, at most 3 s, and for
// nothing else.
std::optional<ExitNow> check_rendezvous(const Settings& settings, const Network& network,
                                        const core::RankGroup& ranks, RendezvousOptions& options,
                                        std::vector<std::string>& warnings);

}  // namespace ddp

// Room: launcher/rendezvous. Where the ranks of a job meet: machines, the address and port of rank
// 0, the run's name.
// Includes: common, launcher/core, launcher/os, launcher/settings. Included by: launcher/campaign,
// launcher/cli, launcher/supervisor, launcher/workers.
//
// --nnodes, --node-rank, --master-addr, --master-port and --run-id, and torchrun's --rdzv-… flags,
// as far as they say the same.
#pragma once

#include "launcher/core/ranks.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddp {

struct RendezvousOptions {
  std::string master_addr = "127.0.0.1";
  std::vector<std::string> addresses;        // of rank 0's machine, as far as it resolves; numeric
  bool resolved = false;                     // they are those of a name that is not localhost
  std::optional<std::uint16_t> master_port;  // none: a fresh reserved one each attempt
  bool from_endpoint = false;                // both are those of --rdzv-endpoint
  std::string run_id;                        // never empty after parsing
  bool run_id_given = false;                 // else it was generated
};

// "Several machines" in --help: `ranks`.nnodes, `ranks`.node_rank and the address of `options`.
// What has no effect here becomes one of `notes`.
std::span<const FlagSpec> rendezvous_flags();
Failure read_rendezvous(const SettingsReader& reader, core::RankGroup& ranks,
                        RendezvousOptions& options, std::vector<std::string>& notes);
// --run-id, or a name made here.
Failure read_run_id(const SettingsReader& reader, RendezvousOptions& options);

}  // namespace ddp

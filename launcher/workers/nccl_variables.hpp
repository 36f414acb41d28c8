// What NCCL and PyTorch are to say and keep, so that a failure or a hang can be explained. A user
// who has set a variable, by its old or its new name, keeps that setting.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/workers/variables.hpp"

#include <string>

namespace ddp {

struct NcclSettings {
  std::string ras_address;      // NCCL_RAS_ADDR; empty: none
  bool records_flight = false;  // PyTorch's flight recorder; the next two belong to it
  std::string trace_prefix;  // of the file to which a rank writes its trace; empty: PyTorch's own
  std::string trace_pipes;   // prefix of the pipes that ask the ranks for it
};

void add_nccl_variables(const NcclSettings& settings, const char* const* parent, Variables& set);

// Whether NCCL's RAS of this launch needs an address: the user has neither chosen one nor switched
// RAS off.
bool needs_ras_address(const char* const* parent);

// Where the diagnostics of a rank are; `rank`: its local rank, or what stands for it.
std::string hang_dir(const std::string& run_dir, core::Generation generation,
                     const std::string& rank);
// Where those are that concern the whole attempt.
std::string attempt_hang_dir(const std::string& run_dir, core::Generation generation);

// NcclSettings::trace_prefix in a rank's hang directory, and trace_pipes. PyTorch appends the
// global rank to both, and ".pipe" to the pipe's. The pipes are in the private directory, which all
// ranks share: PyTorch makes one when a rank starts, and it is of no use after the run.
std::string trace_prefix(const std::string& hang_dir);
std::string trace_pipes(const std::string& private_dir);

}  // namespace ddp

// The environment of each rank: the parent's, and what the launcher adds (docs/design.md,
// "Environment").
#pragma once

#include "launcher/core/place.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/types.hpp"
#include "launcher/rendezvous/options.hpp"
#include "launcher/workers/nccl_variables.hpp"
#include "launcher/workers/options.hpp"
#include "launcher/workers/variables.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

// What all workers of a launch have in common.
struct WorkerSpec {
  core::RankGroup ranks;
  WorkerOptions options;
  RendezvousOptions rendezvous;
  int max_restarts = 0;
  core::Nanoseconds heartbeat{};    // the longest between two heartbeats; 0: no limit
  bool traceable = false;           // a debugger may attach
  bool may_hang = false;            // a hang limit is set: PyTorch's flight recorder records
  std::vector<core::Place> places;  // by local rank; empty: the ranks are not bound
};

// What differs from one generation or rank to the next.
struct WorkerSlot {
  int local_rank = 0;
  int generation = 0;
  std::uint16_t master_port = 0;
  std::string run_dir;                // DDP_RUN_DIR
  std::string notify_socket;          // NOTIFY_SOCKET; empty: none
  std::string error_file;             // TORCHELASTIC_ERROR_FILE
  std::optional<std::string> faults;  // DDP_FAULTS; none: no plan is active
  NcclSettings nccl;
  bool hide_devices = false;  // the visible-devices variable names none
  int columns = 0;            // of the terminal that shows the output; 0: none, or a pty
  int lines = 0;
};

// Only what the launcher sets for this rank, in the order the documentation lists it. `parent` is
// the launcher's own environment ("NAME=value", as environ): variables that are only set if unset
// are looked up there.
Variables launcher_variables(const WorkerSpec& spec, const WorkerSlot& slot,
                             const char* const* parent);

// The whole environment as "NAME=value", the launcher's variables replacing the parent's.
std::vector<std::string> worker_environment(const WorkerSpec& spec, const WorkerSlot& slot,
                                            const char* const* parent);

}  // namespace ddp

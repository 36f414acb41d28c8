// The command line and the configuration file of ddp-launch, as one checked value.
#pragma once

#include "common/get_env.hpp"
#include "launcher/base/log.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/hangs/hang_watch.hpp"
#include "launcher/core/hangs/straggler_watch.hpp"
#include "launcher/core/processes/shared_memory.hpp"
#include "launcher/core/record/fault_plan.hpp"
#include "launcher/os/address.hpp"
#include "launcher/os/resolve.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/stop_signal_target.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ddp {

enum class DeviceType { cpu, cuda, ascend, hip, ze };
// Its name on the command line.
const char* name_of(DeviceType type);
// The variable that says which devices of this kind a process may see; nullptr for cpu.
const char* visible_devices_variable(DeviceType type);

struct Options {
  int nproc = 1;
  int nnodes = 1;
  int node_rank = 0;
  std::string master_addr = "127.0.0.1";
  std::optional<std::uint16_t> master_port;  // none: a fresh reserved one each generation
  DeviceType device_type = DeviceType::cuda;
  // What the visible-devices variable gets: as --devices says, by the system's own indices; empty:
  // leave the environment's choice. Under virtual_local_rank one a rank, unless the type is cpu.
  std::vector<std::string> devices;
  bool virtual_local_rank = false;
  bool share_devices = false;  // --oversubscribe, and not known to have a device for each rank
  core::GroupConfig group;     // nproc, shutdown_timeout, restart policy
  StopScope stop_scope = StopScope::rank;
  core::CleanSharedMemory clean_shm = core::CleanSharedMemory::generated;
  core::HangLimits hang;
  std::string on_hang;             // as given; empty: the default
  std::optional<int> hang_signal;  // none: no signal
  core::StragglerConfig straggler;
  std::string run_id;   // never empty after parsing
  std::string log_dir;  // as given; empty: none
  out::Style output = out::Style::prefix;
  out::LineStart line_start;
  std::vector<out::StreamSet> redirect;  // by local rank, nproc entries
  std::vector<out::StreamSet> tee;       // a stream is never in both
  std::vector<bool> shown;
  bool pty = false;
  std::optional<int> stdin_rank;  // local rank that gets the launcher's stdin
  core::FaultPlan plan;           // of --inject, --faults or --replay; without faults: none
  std::string junit;              // where the verdict goes as JUnit XML; empty: nowhere
  std::string campaign_events;    // EventLog's; empty: not the run of a campaign
  log::Level log_level = log::Level::warn;
  bool dry_run = false;
  std::vector<std::string> command;   // program and its arguments
  std::vector<std::string> warnings;  // of what was accepted all the same, for the log

  int world_size() const { return nproc * nnodes; }
  int first_rank() const { return node_rank * nproc; }
};

// The output streams of this machine's ranks that a fault addresses: those that the launcher reads,
// and those that go to files directly.
struct StreamCount {
  int read = 0;
  int unread = 0;
};
StreamCount streams_of(const fault::Spec& spec, const Options& options);

// --help, --version, or a refusal: print `text` to stdout (code 0) or stderr, and leave with
// `code`.
struct ExitNow {
  int code = 0;
  std::string text;
};

// What the network says (launcher/os/resolve.hpp, address.hpp). What is left empty is not asked.
struct Network {
  std::function<os::Lookup(const std::string& name)> look_up;
  std::function<bool(const std::string& address)> is_own_address;
  std::function<bool(const std::string& address, std::uint16_t port)> port_is_in_use;
  std::function<std::vector<os::PortUser>(std::uint16_t port)> users_of_port;
};

// What the options depend on beside the command line.
struct Machine {
  GetEnv get_env;
  std::string root = "/";  // where /dev, /proc and /sys are
  int cpus = 1;
  Network network;  // asked once everything else is good, and not for --dry-run
};
Machine this_machine();  // without a network

std::variant<Options, ExitNow> parse_options(int argc, const char* const* argv);
std::variant<Options, ExitNow> parse_options(int argc, const char* const* argv,
                                             const Machine& machine);

}  // namespace ddp

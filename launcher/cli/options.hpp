// The command line and the configuration file of ddp-launch, as one checked value.
#pragma once

#include "common/get_env.hpp"
#include "launcher/base/log.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/faults/options.hpp"
#include "launcher/hangs/options.hpp"
#include "launcher/os/address.hpp"
#include "launcher/os/resolve.hpp"
#include "launcher/output/options.hpp"
#include "launcher/rendezvous/options.hpp"
#include "launcher/report/options.hpp"
#include "launcher/workers/options.hpp"
#include "launcher/workers/worker_environment.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ddp {

struct Options {
  core::RankGroup ranks;
  RendezvousOptions rendezvous;
  WorkerOptions workers;
  core::GroupConfig group;
  HangOptions hangs;
  OutputOptions output;
  FaultOptions faults;
  ReportOptions report;
  log::Level log_level = log::Level::warn;
  bool dry_run = false;
  std::vector<std::string> warnings;  // of what was accepted all the same, for the log
};

// The parts of it that several rooms need at once.
WorkerSpec worker_spec(const Options& options);
LaunchFacts launch_facts(const Options& options);

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

// --dry-run: a table of rank, device, environment and command.
std::string dry_run_table(const Options& options, const char* const* parent);

}  // namespace ddp

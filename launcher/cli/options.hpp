// Room: launcher/cli. Command line, environment and configuration file in, one checked Options
// value out; --help and --dry-run.
// Includes: common, launcher/base, launcher/core, launcher/core/faults, launcher/core/group,
// launcher/diagnosis, launcher/faults, launcher/hangs, launcher/metrics, launcher/os,
// launcher/output, launcher/placement, launcher/preflight, launcher/preload, launcher/program,
// launcher/rendezvous, launcher/report, launcher/settings, launcher/torchrun, launcher/workers.
// Included by: launcher, launcher/campaign, launcher/supervisor.
//
// The command line and the configuration file of ddp-launch, as one checked value.
#pragma once

#include "common/get_env.hpp"
#include "launcher/base/log.hpp"
#include "launcher/cli/pet_variables.hpp"
#include "launcher/core/finding.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/diagnosis/options.hpp"
#include "launcher/faults/options.hpp"
#include "launcher/hangs/options.hpp"
#include "launcher/metrics/options.hpp"
#include "launcher/output/options.hpp"
#include "launcher/placement/options.hpp"
#include "launcher/preflight/options.hpp"
#include "launcher/preload/options.hpp"
#include "launcher/program/program.hpp"
#include "launcher/rendezvous/check.hpp"
#include "launcher/rendezvous/options.hpp"
#include "launcher/report/options.hpp"
#include "launcher/settings/settings.hpp"
#include "launcher/workers/options.hpp"
#include "launcher/workers/worker_environment.hpp"

#include <string>
#include <variant>
#include <vector>

namespace ddp {

// A flag that the user set, for --dry-run.
struct GivenFlag {
  std::string_view flag;  // "--nproc"
  Setting setting;
};

struct Options {
  std::string command_line;  // as it is typed into a shell; a very long one is cut
  core::RankGroup ranks;
  RendezvousOptions rendezvous;
  ProgramKind program_kind = ProgramKind::automatic;
  WorkerOptions workers;
  PlacementOptions placement;
  std::vector<core::Place> places;  // of the ranks, once bind_ranks() has chosen them
  PreloadOptions preload;
  PreflightOptions preflight;
  std::vector<core::Finding> findings;  // of the checks, that the launch warns of
  core::GroupConfig group;
  HangOptions hangs;
  OutputOptions output;
  FaultOptions faults;
  ReportOptions report;
  metrics::Options metrics;
  diagnosis::SignatureFile diagnosis;  // the user's signatures
  log::Level log_level = log::Level::warn;
  bool dry_run = false;
  std::vector<std::string> warnings;  // of what was accepted all the same, for the log
  std::vector<std::string> notes;     // what was accepted and has no effect here, for the log
  std::vector<GivenFlag> given;       // what was set and where, in the order of --help
};

// The parts of it that several rooms need at once.
WorkerSpec worker_spec(const Options& options);
LaunchFacts launch_facts(const Options& options);

// What the options depend on next to the command line.
struct Machine {
  GetEnv get_env;
  std::string root = "/";  // where /dev, /proc and /sys are
  int cpus = 1;
  PetVariables pet;
  Network network;  // asked once everything else is good, and not for --dry-run
};
Machine this_machine();  // without a network

std::variant<Options, ExitNow> parse_options(int argc, const char* const* argv);
std::variant<Options, ExitNow> parse_options(int argc, const char* const* argv,
                                             const Machine& machine);

// --dry-run: a table of rank, device, environment and command.
std::string dry_run_table(const Options& options, const char* const* parent);

}  // namespace ddp

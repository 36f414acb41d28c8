#include "launcher/placement/bind.hpp"

#include "common/signal_name.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/os/affinity.hpp"
#include "launcher/os/child_output.hpp"
#include "launcher/os/signals.hpp"
#include "launcher/placement/device_nodes.hpp"
#include "launcher/placement/placement.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

namespace ddp {
namespace {

using End = os::ChildOutput::End;

constexpr std::chrono::seconds kReadLimit{30};  // reading a large machine takes less than one

ExitNow refused(int code, const std::string& why) {
  return ExitNow{code, "ddp-launch: " + why + "\n"};
}

// ddp-topology's own message comes last: the dynamic linker and libraries may have written before.
std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return "it printed nothing";
  return std::string(text.substr(text.rfind('\n') + 1));  // npos + 1 is 0
}

// A refusal keeps the exit code of a stop request apart from a failure to read the machine.
std::variant<Topology, ExitNow> run_topology(const BindRequest& request) {
  const auto unreadable = [&](const std::string& why) {
    return refused(core::kSystemRefused, request.options.name + ": " + why);
  };
  os::SpawnRequest spawn;
  spawn.program =
      request.topology.empty() ? os::program_next_to_this("ddp-topology") : request.topology;
  for (char** variable = environ; *variable != nullptr; ++variable)
    spawn.environment.emplace_back(*variable);
  const std::string program = spawn.program;
  const auto output = os::run_and_read(std::move(spawn), kReadLimit, true);
  switch (output.end) {
    case End::not_started:
      return unreadable("cannot run " + program + ": " + std::strerror(output.error.error_number) +
                        "; it belongs next to ddp-launch");
    case End::late:
      return unreadable(program + " has not read this machine in 30 s");
    case End::stopped: {
      const int signal = os::pending_stop_request().value_or(SIGTERM);
      return refused(128 + signal,
                     "stopped by " + signal_name(signal) + " before any rank was started");
    }
    case End::exited:
      break;
  }
  if (output.code != 0) return unreadable(program + " failed: " + last_line(output.errors));
  auto topology = parse_topology(output.text);
  if (!topology) return unreadable(topology.error());
  return std::move(*topology);
}

std::vector<int> cpus_of(const Topology& topology) {
  std::vector<int> cpus;
  for (const Cpu& cpu : topology.cpus) cpus.push_back(cpu.number);
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

bool has_several_nodes(const Topology& topology) {
  std::set<int> nodes;
  for (const Cpu& cpu : topology.cpus) nodes.insert(cpu.node);
  return nodes.size() > 1;
}

std::string report_line(const BindRequest& request, int local_rank, const std::string& text) {
  return "ddp-launch: rank " + to_string(request.ranks.global(local_rank)) + ": " + text + "\n";
}

}  // namespace

std::variant<Bound, ExitNow> bind_ranks(const BindRequest& request) {
  Bound bound;
  const int nproc = request.ranks.nproc;
  const std::string& name = request.options.name;
  if (request.options.binding == Binding::none) {
    if (!request.options.report) return bound;
    const std::string all = place_text({.cpus = os::allowed_cpus()});
    for (int rank = 0; rank < nproc; ++rank)
      bound.report += report_line(request, rank, "not bound, may use " + all);
    return bound;
  }
  auto read = run_topology(request);
  if (auto* leave = std::get_if<ExitNow>(&read)) return std::move(*leave);
  const Topology* topology = std::get_if<Topology>(&read);
  if (!topology->here && !request.dry_run)
    return refused(core::kUsage, name +
                                     ": HWLOC_SYNTHETIC or HWLOC_XMLFILE describes another "
                                     "machine: expected --dry-run with it");
  const auto devices = devices_of(request.workers.device_type, request.root);
  const auto addresses = rank_devices(request.workers, nproc, devices, request.get_env);
  auto places =
      place_ranks(*topology, {.binding = request.options.binding,
                              .name = name,
                              .allowed = topology->here ? os::allowed_cpus() : cpus_of(*topology),
                              .device_nodes = nodes_of(addresses, *topology)});
  if (!places) return refused(core::kUsage, places.error());
  for (int rank = 0; rank < nproc && request.options.report; ++rank)
    bound.report += report_line(request, rank, place_text((*places)[static_cast<size_t>(rank)]));
  if (const int refusal = os::memory_policy_refusal(); refusal != 0) {
    for (core::Place& place : *places) place.nodes.clear();
    if (has_several_nodes(*topology))
      bound.warnings.push_back(name + " binds CPUs alone: the system allows no memory policy (" +
                               std::strerror(refusal) + "; in Docker, add --cap-add SYS_NICE)");
  }
  bound.places = std::move(*places);
  return bound;
}

}  // namespace ddp

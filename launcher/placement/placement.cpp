#include "launcher/placement/placement.hpp"

#include <algorithm>
#include <cassert>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace ddp {
namespace {

using CoreCpus = std::vector<int>;  // the usable CPUs of one physical core

// A set of CPUs that a rank is bound to or takes its cores from.
struct Domain {
  std::vector<CoreCpus> cores;  // by their first CPU
  std::vector<int> cpus;        // of all cores, ascending
  std::set<int> nodes;
  int package = 0;                 // the socket of its first CPU
  std::vector<std::size_t> ranks;  // the local ranks that were dealt to it
};

// Domains in the order in which ranks are dealt to them. An L3 cache that serves several NUMA nodes
// is a domain for each, so that a rank stays near its device.
std::vector<Domain> domains_of(const std::vector<Cpu>& usable, Binding binding) {
  using Key = std::pair<int, int>;
  std::map<Key, std::map<int, CoreCpus>> cpus;  // by domain and core
  std::map<Key, Domain> domains;
  int unknown_core = -1;
  for (const Cpu& cpu : usable) {
    const Key key = binding == Binding::socket ? Key{cpu.package, 0}
                    : binding == Binding::l3   ? Key{cpu.node, cpu.cache}
                                               : Key{cpu.node, 0};
    // Without a core it is one by itself.
    cpus[key][cpu.core >= 0 ? cpu.core : --unknown_core].push_back(cpu.number);
    Domain& domain = domains[key];
    if (domain.cpus.empty()) domain.package = cpu.package;
    if (cpu.node >= 0) domain.nodes.insert(cpu.node);
    domain.cpus.push_back(cpu.number);
  }
  std::vector<Domain> ordered;
  for (auto& [key, domain] : domains) {
    for (auto& [number, core] : cpus[key]) {
      std::sort(core.begin(), core.end());
      domain.cores.push_back(std::move(core));
    }
    std::sort(domain.cores.begin(), domain.cores.end());
    std::sort(domain.cpus.begin(), domain.cpus.end());
    ordered.push_back(std::move(domain));
  }
  return ordered;
}

// How many ranks were dealt to each domain, and to the sockets and NUMA nodes that they are in.
class Tally {
 public:
  explicit Tally(const std::vector<Domain>& domains) : domains_(domains), ranks_(domains.size()) {}

  void add(std::size_t domain) {
    ++ranks_[domain];
    ++in_package_[domains_[domain].package];
    ++in_node_[node_of(domain)];
  }

  const std::vector<std::size_t>& ranks() const { return ranks_; }

  // How little a domain has for one rank more: the least is the best. One with a core left comes
  // first, then the one with the fewest ranks; then the one whose socket, and then node, has the
  // fewest, so that a few ranks on many caches use the memory of all sockets; then the largest.
  auto burden(std::size_t domain) {
    return std::tuple(ranks_[domain] >= domains_[domain].cores.size(), ranks_[domain],
                      in_package_[domains_[domain].package], in_node_[node_of(domain)],
                      -std::ssize(domains_[domain].cpus));
  }

 private:
  int node_of(std::size_t domain) const {
    const auto& nodes = domains_[domain].nodes;
    return nodes.empty() ? -1 : *nodes.begin();
  }

  const std::vector<Domain>& domains_;
  std::vector<std::size_t> ranks_;  // by domain
  std::map<int, std::size_t> in_package_;
  std::map<int, std::size_t> in_node_;
};

// Deals each rank to a domain: those near their devices first, the others evenly over the rest, in
// blocks.
void deal(std::vector<Domain>& domains, const std::vector<std::optional<int>>& device_nodes) {
  Tally tally(domains);
  const auto best = [&](std::optional<int> node) -> std::optional<std::size_t> {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < domains.size(); ++i) {
      if (node && domains[i].nodes.count(*node) == 0) continue;
      if (!found || tally.burden(i) < tally.burden(*found)) found = i;
    }
    return found;
  };
  std::vector<std::size_t> elsewhere;
  for (std::size_t rank = 0; rank < device_nodes.size(); ++rank) {
    const auto domain = device_nodes[rank] ? best(device_nodes[rank]) : std::nullopt;
    if (domain) {
      tally.add(*domain);
      domains[*domain].ranks.push_back(rank);
    } else {
      elsewhere.push_back(rank);
    }
  }
  const std::vector<std::size_t> near = tally.ranks();
  for (std::size_t i = 0; i < elsewhere.size(); ++i) tally.add(*best(std::nullopt));
  auto next = elsewhere.begin();
  for (std::size_t i = 0; i < domains.size(); ++i) {
    for (std::size_t left = tally.ranks()[i] - near[i]; left > 0; --left)
      domains[i].ranks.push_back(*next++);
    std::sort(domains[i].ranks.begin(), domains[i].ranks.end());
  }
}

// What refuses a domain that has fewer cores than ranks.
Error too_few_cores(const Domain& domain, const std::vector<Domain>& domains,
                    const PlacementRequest& request) {
  std::size_t cores = 0;
  for (const Domain& any : domains) cores += any.cores.size();
  const std::size_t ranks = request.device_nodes.size();
  if (cores < ranks) {
    return Error{request.name + " needs a core for each of " + std::to_string(ranks) +
                 " workers, and ddp-launch may use " + std::to_string(cores) + " (CPUs " +
                 ranges_text(request.allowed) + "): expected at most " + std::to_string(cores) +
                 (cores == 1 ? " worker" : " workers") + ", or --bind numa"};
  }
  return Error{request.name + " needs a core for each of the " +
               std::to_string(domain.ranks.size()) + " workers near NUMA node " +
               std::to_string(domain.nodes.empty() ? -1 : *domain.nodes.begin()) +
               ", and may use " + std::to_string(domain.cores.size()) + " there (CPUs " +
               ranges_text(domain.cpus) + "): expected fewer workers, or --bind numa"};
}

// The `index`-th of `parts` nearly equal parts of the cores; the first parts have one core more.
CoreCpus share_of(const std::vector<CoreCpus>& cores, std::size_t index, std::size_t parts) {
  const std::size_t each = cores.size() / parts;
  const std::size_t more = cores.size() % parts;
  const std::size_t begin = index * each + std::min(index, more);
  const std::size_t end = begin + each + (index < more ? 1 : 0);
  CoreCpus cpus;
  for (std::size_t i = begin; i < end; ++i)
    cpus.insert(cpus.end(), cores[i].begin(), cores[i].end());
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

std::size_t threads_of(const Domain& domain, std::size_t index, Binding binding) {
  if (binding == Binding::core) return 1;
  const std::size_t ranks = domain.ranks.size();
  const std::size_t more =
      binding == Binding::exclusive && index < domain.cores.size() % ranks ? 1 : 0;
  return std::max<std::size_t>(1, domain.cores.size() / ranks + more);
}

}  // namespace

Result<std::vector<core::Place>> place_ranks(const Topology& topology,
                                             const PlacementRequest& request) {
  assert(request.binding != Binding::none);
  std::vector<Cpu> usable;
  for (const Cpu& cpu : topology.cpus) {
    if (std::binary_search(request.allowed.begin(), request.allowed.end(), cpu.number))
      usable.push_back(cpu);
  }
  if (usable.empty())
    return Error{request.name + ": hwloc shows none of the CPUs that ddp-launch may use (" +
                 ranges_text(request.allowed) + ")"};
  if (request.binding == Binding::l3 &&
      std::any_of(usable.begin(), usable.end(), [](const Cpu& cpu) { return cpu.cache < 0; }))
    return Error{request.name + ": this machine shows no L3 cache; --bind numa needs none"};

  auto domains = domains_of(usable, request.binding);
  deal(domains, request.device_nodes);
  const bool disjoint = request.binding == Binding::core || request.binding == Binding::exclusive;
  std::vector<core::Place> places(request.device_nodes.size());
  for (const Domain& domain : domains) {
    if (disjoint && domain.ranks.size() > domain.cores.size())
      return too_few_cores(domain, domains, request);
    for (std::size_t i = 0; i < domain.ranks.size(); ++i) {
      core::Place& place = places[domain.ranks[i]];
      place.cpus = request.binding == Binding::core ? domain.cores[i]
                   : request.binding == Binding::exclusive
                       ? share_of(domain.cores, i, domain.ranks.size())
                       : domain.cpus;
      place.nodes.assign(domain.nodes.begin(), domain.nodes.end());
      place.threads = static_cast<int>(threads_of(domain, i, request.binding));
    }
  }
  return places;
}

std::string ranges_text(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (last > i) text += "-" + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

std::string place_text(const core::Place& place) {
  std::string text = (place.cpus.size() == 1 ? "CPU " : "CPUs ") + ranges_text(place.cpus);
  if (!place.nodes.empty())
    text += (place.nodes.size() == 1 ? ", NUMA node " : ", NUMA nodes ") + ranges_text(place.nodes);
  return text;
}

}  // namespace ddp

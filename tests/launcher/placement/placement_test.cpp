#include "launcher/placement/placement.hpp"

#include "launcher/placement/hwloc_topology.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace {

using namespace ddp;
using Nodes = std::vector<std::optional<int>>;
using Lines = std::vector<std::string>;

// 2 sockets of 2 NUMA nodes of 8 cores of 2 hardware threads: CPUs 0-15 are on node 0, and 0 and 1
// are core 0.
constexpr const char* kServer = "pack:2 numa:2 l3:2 core:4 pu:2";

Topology machine(const char* description) {
  auto topology = read_topology(description);
  REQUIRE_MESSAGE(topology, topology.error());
  CHECK_FALSE(topology->here);
  return *topology;
}

std::vector<int> range(int first, int last) {
  std::vector<int> numbers(static_cast<std::size_t>(last - first + 1));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

std::vector<int> all_of(const Topology& topology) {
  std::vector<int> cpus;
  for (const Cpu& cpu : topology.cpus) cpus.push_back(cpu.number);
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

Nodes anywhere(std::size_t ranks) { return Nodes(ranks); }

Lines places(const Topology& topology, Binding binding, const Nodes& nodes,
             std::optional<std::vector<int>> allowed = std::nullopt) {
  const auto placed =
      place_ranks(topology, {binding, "--bind it", allowed ? *allowed : all_of(topology), nodes});
  if (!placed) return {placed.error()};
  Lines lines;
  for (const auto& place : *placed)
    lines.push_back(place_text(place) + " x" + std::to_string(place.threads));
  return lines;
}

}  // namespace

TEST_CASE("the topology of a synthetic server is read with its numbers") {
  const Topology server = machine(kServer);
  REQUIRE(server.cpus.size() == 64);
  const Cpu& last = server.cpus.back();
  CHECK(last.number == 63);
  CHECK(last.core == 31);
  CHECK(last.cache == 7);
  CHECK(last.node == 3);
  CHECK(last.package == 1);
  CHECK(server.cpus[1].core == 0);
  CHECK(machine("numa:1 core:2 pu:1").cpus[1].cache == -1);
  CHECK_FALSE(read_topology("pack:2 nonsense"));
}

TEST_CASE("four GPUs on a server: each rank near its own") {
  const Topology server = machine(kServer);
  const Nodes gpus{0, 1, 2, 3};
  CHECK(places(server, Binding::core, gpus) ==
        Lines{"CPUs 0-1, NUMA node 0 x1", "CPUs 16-17, NUMA node 1 x1",
              "CPUs 32-33, NUMA node 2 x1", "CPUs 48-49, NUMA node 3 x1"});
  CHECK(places(server, Binding::numa, gpus) ==
        Lines{"CPUs 0-15, NUMA node 0 x8", "CPUs 16-31, NUMA node 1 x8",
              "CPUs 32-47, NUMA node 2 x8", "CPUs 48-63, NUMA node 3 x8"});
  CHECK(places(server, Binding::exclusive, gpus) == places(server, Binding::numa, gpus));
  CHECK(places(server, Binding::socket, gpus) ==
        Lines{"CPUs 0-31, NUMA nodes 0-1 x8", "CPUs 0-31, NUMA nodes 0-1 x8",
              "CPUs 32-63, NUMA nodes 2-3 x8", "CPUs 32-63, NUMA nodes 2-3 x8"});
  CHECK(places(server, Binding::l3, gpus) ==
        Lines{"CPUs 0-7, NUMA node 0 x4", "CPUs 16-23, NUMA node 1 x4",
              "CPUs 32-39, NUMA node 2 x4", "CPUs 48-55, NUMA node 3 x4"});
}

TEST_CASE("GPUs that share a node share what it has, and their order does not matter") {
  const Topology server = machine(kServer);
  const Nodes gpus{3, 1, 3, 3};
  CHECK(places(server, Binding::core, gpus) ==
        Lines{"CPUs 48-49, NUMA node 3 x1", "CPUs 16-17, NUMA node 1 x1",
              "CPUs 50-51, NUMA node 3 x1", "CPUs 52-53, NUMA node 3 x1"});
  // 8 cores for 3 ranks: 3, 3 and 2.
  CHECK(places(server, Binding::exclusive, gpus) ==
        Lines{"CPUs 48-53, NUMA node 3 x3", "CPUs 16-31, NUMA node 1 x8",
              "CPUs 54-59, NUMA node 3 x3", "CPUs 60-63, NUMA node 3 x2"});
  CHECK(places(server, Binding::numa, gpus) ==
        Lines{"CPUs 48-63, NUMA node 3 x2", "CPUs 16-31, NUMA node 1 x8",
              "CPUs 48-63, NUMA node 3 x2", "CPUs 48-63, NUMA node 3 x2"});
  // Two caches for three ranks: two of them share one.
  CHECK(places(server, Binding::l3, gpus) ==
        Lines{"CPUs 48-55, NUMA node 3 x2", "CPUs 16-23, NUMA node 1 x4",
              "CPUs 56-63, NUMA node 3 x4", "CPUs 48-55, NUMA node 3 x2"});
}

TEST_CASE("without known devices ranks are dealt out evenly, in blocks") {
  const Topology server = machine(kServer);
  CHECK(places(server, Binding::numa, anywhere(8)) ==
        Lines{"CPUs 0-15, NUMA node 0 x4", "CPUs 0-15, NUMA node 0 x4",
              "CPUs 16-31, NUMA node 1 x4", "CPUs 16-31, NUMA node 1 x4",
              "CPUs 32-47, NUMA node 2 x4", "CPUs 32-47, NUMA node 2 x4",
              "CPUs 48-63, NUMA node 3 x4", "CPUs 48-63, NUMA node 3 x4"});
  CHECK(places(server, Binding::core, anywhere(5)) ==
        Lines{"CPUs 0-1, NUMA node 0 x1", "CPUs 2-3, NUMA node 0 x1", "CPUs 16-17, NUMA node 1 x1",
              "CPUs 32-33, NUMA node 2 x1", "CPUs 48-49, NUMA node 3 x1"});
  CHECK(places(server, Binding::socket, anywhere(3)) == Lines{"CPUs 0-31, NUMA nodes 0-1 x8",
                                                              "CPUs 0-31, NUMA nodes 0-1 x8",
                                                              "CPUs 32-63, NUMA nodes 2-3 x16"});
  // One known device: the others go where there is more room.
  CHECK(places(server, Binding::numa, {std::nullopt, 0, std::nullopt, std::nullopt}) ==
        Lines{"CPUs 16-31, NUMA node 1 x8", "CPUs 0-15, NUMA node 0 x8",
              "CPUs 32-47, NUMA node 2 x8", "CPUs 48-63, NUMA node 3 x8"});
  // One memory for two sockets.
  const Topology interleaved = machine("numa:1 pack:2 core:2 pu:1");
  CHECK(places(interleaved, Binding::socket, anywhere(2)) ==
        Lines{"CPUs 0-1, NUMA node 0 x2", "CPUs 2-3, NUMA node 0 x2"});
}

TEST_CASE("fewer ranks than caches or nodes use each socket, and then each node") {
  const Topology server = machine(kServer);
  CHECK(places(server, Binding::l3, anywhere(4)) ==
        Lines{"CPUs 0-7, NUMA node 0 x4", "CPUs 16-23, NUMA node 1 x4",
              "CPUs 32-39, NUMA node 2 x4", "CPUs 48-55, NUMA node 3 x4"});
  CHECK(places(server, Binding::l3, anywhere(3)) == Lines{"CPUs 0-7, NUMA node 0 x4",
                                                          "CPUs 16-23, NUMA node 1 x4",
                                                          "CPUs 32-39, NUMA node 2 x4"});
  for (const Binding binding : {Binding::numa, Binding::exclusive})
    CHECK(places(server, binding, anywhere(2)) ==
          Lines{"CPUs 0-15, NUMA node 0 x8", "CPUs 32-47, NUMA node 2 x8"});
}

TEST_CASE("the allowed CPUs limit every place") {
  const Topology server = machine(kServer);
  std::vector<int> allowed = range(12, 18);
  CHECK(places(server, Binding::numa, anywhere(2), allowed) ==
        Lines{"CPUs 12-15, NUMA node 0 x2", "CPUs 16-18, NUMA node 1 x2"});
  // Node 1 has no CPU left: its rank goes to the others.
  allowed = range(0, 3);
  CHECK(places(server, Binding::numa, {1, 0}, allowed) ==
        Lines{"CPUs 0-3, NUMA node 0 x1", "CPUs 0-3, NUMA node 0 x1"});
  CHECK(places(server, Binding::core, {1, 0}, allowed) ==
        Lines{"CPUs 0-1, NUMA node 0 x1", "CPUs 2-3, NUMA node 0 x1"});
  // Three cores here, one there: no rank is left without one.
  CHECK(places(server, Binding::core, anywhere(4), std::vector<int>{0, 2, 4, 16}) ==
        Lines{"CPU 0, NUMA node 0 x1", "CPU 2, NUMA node 0 x1", "CPU 4, NUMA node 0 x1",
              "CPU 16, NUMA node 1 x1"});
}

TEST_CASE("what the allowed CPUs cannot give is refused in one line") {
  const Topology server = machine(kServer);
  const std::vector<int> two{0, 1, 16};
  for (const Binding binding : {Binding::core, Binding::exclusive}) {
    CHECK(places(server, binding, anywhere(3), two) ==
          Lines{"--bind it needs a core for each of 3 workers, and ddp-launch may use 2 (CPUs "
                "0-1,16): expected at most 2 workers, or --bind numa"});
    CHECK(places(server, binding, {1, 1}, two) ==
          Lines{"--bind it needs a core for each of the 2 workers near NUMA node 1, and may use 1 "
                "there (CPUs 16): expected fewer workers, or --bind numa"});
  }
  CHECK(places(machine("numa:2 core:2 pu:1"), Binding::l3, anywhere(1)) ==
        Lines{"--bind it: this machine shows no L3 cache; --bind numa needs none"});
  CHECK(places(server, Binding::numa, anywhere(1), std::vector<int>{99}) ==
        Lines{"--bind it: hwloc shows none of the CPUs that ddp-launch may use (99)"});
}

namespace {

// What is wrong with the places; empty: nothing.
std::string broken(const Topology& topology, const PlacementRequest& request,
                   const std::vector<core::Place>& placed) {
  if (placed.size() != request.device_nodes.size()) return "a rank without a place";
  std::set<int> taken;
  for (const auto& place : placed) {
    if (place.cpus.empty()) return "an empty place";
    if (!std::is_sorted(place.cpus.begin(), place.cpus.end())) return "not in order";
    if (place.threads < 1 || place.threads > std::ssize(place.cpus)) return "wrong threads";
    std::set<int> nodes;
    for (const int number : place.cpus) {
      if (!std::binary_search(request.allowed.begin(), request.allowed.end(), number))
        return "a CPU that is not allowed";
      const auto cpu = std::find_if(topology.cpus.begin(), topology.cpus.end(),
                                    [&](const Cpu& any) { return any.number == number; });
      nodes.insert(cpu->node);
      const bool disjoint =
          request.binding == Binding::core || request.binding == Binding::exclusive;
      if (disjoint && !taken.insert(number).second) return "a CPU of two ranks";
    }
    if (!std::includes(place.nodes.begin(), place.nodes.end(), nodes.begin(), nodes.end()))
      return "a node is missing";
    if (request.binding != Binding::socket && nodes.size() != 1) return "CPUs of two nodes";
  }
  return "";
}

}  // namespace

TEST_CASE("random machines and masks: no place is empty, forbidden or taken twice") {
  std::mt19937 random(20260131);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  int placed_count = 0;
  int refused_count = 0;
  for (int round = 0; round < 300; ++round) {
    const std::string description =
        "pack:" + std::to_string(pick(1, 2)) + " numa:" + std::to_string(pick(1, 3)) +
        " l3:" + std::to_string(pick(1, 2)) + " core:" + std::to_string(pick(1, 4)) +
        " pu:" + std::to_string(pick(1, 2));
    CAPTURE(description);
    const Topology topology = machine(description.c_str());
    for (const Binding binding :
         {Binding::core, Binding::l3, Binding::numa, Binding::socket, Binding::exclusive}) {
      PlacementRequest request{.binding = binding, .name = "--bind it"};
      const int keep = pick(1, 10);
      for (const int cpu : all_of(topology)) {
        if (pick(1, 10) <= keep) request.allowed.push_back(cpu);
      }
      if (request.allowed.empty()) request.allowed = {0};
      const bool known = pick(0, 1) == 1;
      for (int rank = pick(1, 9); rank > 0; --rank) {
        request.device_nodes.emplace_back();
        if (known && pick(0, 3) > 0) request.device_nodes.back() = pick(0, 5);
      }
      CAPTURE(ranges_text(request.allowed));
      const auto placed = place_ranks(topology, request);
      if (!placed) {
        ++refused_count;
        CHECK((binding == Binding::core || binding == Binding::exclusive));
        CHECK(placed.error().find('\n') == std::string::npos);
        continue;
      }
      ++placed_count;
      CHECK(broken(topology, request, *placed) == "");
    }
  }
  CHECK(placed_count > 800);
  CHECK(refused_count > 50);
}

TEST_CASE("the check of random machines sees each kind of wrong place") {
  const Topology topology = machine("pack:1 numa:2 core:2 pu:1");
  const PlacementRequest request{Binding::exclusive, "", {0, 1, 2}, anywhere(2)};
  const core::Place first{{0}, {0}, 1};
  CHECK(broken(topology, request, {first, {{1}, {0}, 1}}) == "");
  CHECK(broken(topology, request, {first}) == "a rank without a place");
  CHECK(broken(topology, request, {first, {{}, {0}, 1}}) == "an empty place");
  CHECK(broken(topology, request, {first, {{3}, {1}, 1}}) == "a CPU that is not allowed");
  CHECK(broken(topology, request, {first, {{0, 1}, {0}, 1}}) == "a CPU of two ranks");
  CHECK(broken(topology, request, {first, {{1, 2}, {0, 1}, 1}}) == "CPUs of two nodes");
  CHECK(broken(topology, request, {first, {{2}, {0}, 1}}) == "a node is missing");
  CHECK(broken(topology, request, {first, {{1}, {0}, 0}}) == "wrong threads");
}

TEST_CASE("numbers as ranges") {
  CHECK(ranges_text({}) == "");
  CHECK(ranges_text({3}) == "3");
  CHECK(ranges_text({0, 1, 2, 8, 10, 11}) == "0-2,8,10-11");
}

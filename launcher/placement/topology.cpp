#include "launcher/placement/topology.hpp"

#include "common/parse.hpp"

#include <limits>
#include <optional>
#include <set>

namespace ddp {
namespace {

constexpr std::string_view kHead = "ddp-topology 1 ";

// Takes the text up to `separator`, which it removes too.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

bool take_word(std::string_view& line, std::string_view word) { return take(line, ' ') == word; }

std::optional<int> take_number(std::string_view& line, int least) {
  const auto number = parse_integer("", take(line, ' '), least, std::numeric_limits<int>::max());
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

std::optional<Cpu> read_cpu(std::string_view line) {
  const auto number = take_number(line, 0);
  if (!number || !take_word(line, "core")) return std::nullopt;
  const auto core = take_number(line, -1);
  if (!core || !take_word(line, "cache")) return std::nullopt;
  const auto cache = take_number(line, -1);
  if (!cache || !take_word(line, "node")) return std::nullopt;
  const auto node = take_number(line, -1);
  if (!node || !take_word(line, "package")) return std::nullopt;
  const auto package = take_number(line, -1);
  if (!package || !line.empty()) return std::nullopt;
  return Cpu{*number, *core, *cache, *node, *package};
}

std::optional<PciDevice> read_device(std::string_view line) {
  PciDevice device{.address = std::string(take(line, ' '))};
  if (device.address.empty() || !take_word(line, "node")) return std::nullopt;
  const auto node = take_number(line, -1);
  if (!node || !line.empty()) return std::nullopt;
  device.node = *node;
  return device;
}

}  // namespace

std::string topology_text(const Topology& topology) {
  std::string text = std::string(kHead) + (topology.here ? "here" : "elsewhere") + "\n";
  for (const Cpu& cpu : topology.cpus) {
    text += "cpu " + std::to_string(cpu.number) + " core " + std::to_string(cpu.core) + " cache " +
            std::to_string(cpu.cache) + " node " + std::to_string(cpu.node) + " package " +
            std::to_string(cpu.package) + "\n";
  }
  for (const PciDevice& device : topology.devices)
    text += "pci " + device.address + " node " + std::to_string(device.node) + "\n";
  return text;
}

Result<Topology> parse_topology(std::string_view text) {
  const auto refused = [](std::string_view line) {
    return Error{"ddp-topology printed '" + std::string(line.substr(0, 100)) +
                 "', which this ddp-launch does not read"};
  };
  std::string_view head = take(text, '\n');
  const std::string_view whole = head;
  if (!head.starts_with(kHead)) return refused(whole);
  head.remove_prefix(kHead.size());
  if (head != "here" && head != "elsewhere") return refused(whole);
  Topology topology;
  topology.here = head == "here";
  std::set<int> numbers;
  while (!text.empty()) {
    const std::string_view line = take(text, '\n');
    std::string_view rest = line;
    const std::string_view kind = take(rest, ' ');
    if (kind == "cpu") {
      const auto cpu = read_cpu(rest);
      if (!cpu || !numbers.insert(cpu->number).second) return refused(line);
      topology.cpus.push_back(*cpu);
    } else if (kind == "pci") {
      auto device = read_device(rest);
      if (!device) return refused(line);
      topology.devices.push_back(std::move(*device));
    } else {
      return refused(line);
    }
  }
  if (topology.cpus.empty()) return refused("no CPU");
  return topology;
}

}  // namespace ddp

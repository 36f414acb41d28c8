#include "launcher/peers/layout.hpp"

#include "common/parse.hpp"

#include <array>

namespace ddp {
namespace {

constexpr std::string_view kHead = "ddp-launch 1 ";
constexpr std::int64_t kMost = 65536;

}  // namespace

std::string layout_line(const core::RankGroup& ranks) {
  return std::string(kHead) + std::to_string(ranks.nnodes) + " " + std::to_string(ranks.nproc) +
         " " + std::to_string(ranks.node_rank) + "\n";
}

std::optional<core::RankGroup> read_layout(std::string_view line) {
  if (!line.starts_with(kHead) || !line.ends_with('\n')) return std::nullopt;
  line.remove_prefix(kHead.size());
  line.remove_suffix(1);
  std::array<int, 3> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t space = line.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == numbers.size())) return std::nullopt;
    const auto number = parse_integer("", line.substr(0, space), 0, kMost);
    if (!number) return std::nullopt;
    numbers[i] = static_cast<int>(*number);
    line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  }
  return core::RankGroup{.nproc = numbers[1], .nnodes = numbers[0], .node_rank = numbers[2]};
}

std::string disagreement(const core::RankGroup& own, const core::RankGroup& other) {
  const std::string node = "node " + std::to_string(other.node_rank);
  const auto differs = [&](const char* flag, int theirs, int ours) {
    return node + " has " + flag + " " + std::to_string(theirs) + ", node " +
           std::to_string(own.node_rank) + " has " + std::to_string(ours) +
           ": expected the same on every machine";
  };
  if (other.nnodes != own.nnodes) return differs("--nnodes", other.nnodes, own.nnodes);
  if (other.nproc != own.nproc) return differs("--nproc", other.nproc, own.nproc);
  if (other.node_rank == own.node_rank)
    return "two machines have --node-rank " + std::to_string(own.node_rank) +
           ": expected a different one on each machine";
  return "";
}

}  // namespace ddp

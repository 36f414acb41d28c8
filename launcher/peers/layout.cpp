#include "launcher/peers/layout.hpp"

#include "common/parse.hpp"

#include <algorithm>
#include <array>

namespace ddp {
namespace {

constexpr std::string_view kHead = "ddp-launch 1 ";
constexpr std::int64_t kMost = 65536;
constexpr std::size_t kLongestId = 64;

// Printable, so that it can be shown.
bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kLongestId &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// The next word of `line`, which is removed.
std::string_view next_word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  return word;
}

std::string two_machines_with(int node_rank) {
  return "two machines have --node-rank " + std::to_string(node_rank) +
         ": expected a different one on each machine";
}

}  // namespace

std::string layout_line(const Layout& layout) {
  const core::RankGroup& ranks = layout.ranks;
  return std::string(kHead) + std::to_string(ranks.nnodes) + " " + std::to_string(ranks.nproc) +
         " " + std::to_string(ranks.node_rank) + " " + layout.run_id + " " + layout.launch_id +
         "\n";
}

std::optional<Layout> read_layout(std::string_view line) {
  if (!line.starts_with(kHead) || !line.ends_with('\n')) return std::nullopt;
  line.remove_prefix(kHead.size());
  line.remove_suffix(1);
  std::array<int, 3> numbers{};
  for (int& number : numbers) {
    const auto read = parse_integer("", next_word(line), 0, kMost);
    if (!read) return std::nullopt;
    number = static_cast<int>(*read);
  }
  Layout layout{.ranks = {.nproc = numbers[1], .nnodes = numbers[0], .node_rank = numbers[2]}};
  layout.run_id = next_word(line);
  layout.launch_id = line;  // the rest, so that a word too many is seen
  if (!is_id(layout.run_id) || !is_id(layout.launch_id)) return std::nullopt;
  return layout;
}

bool is_another_job(const Layout& own, const Layout& other) {
  return own.run_id != "-" && other.run_id != "-" && own.run_id != other.run_id;
}

std::string disagreement(const Layout& own, const Layout& other) {
  const std::string node = "node " + std::to_string(other.ranks.node_rank);
  const auto differs = [&](const char* flag, int theirs, int ours) {
    return node + " has " + flag + " " + std::to_string(theirs) + ", node " +
           std::to_string(own.ranks.node_rank) + " has " + std::to_string(ours) +
           ": expected the same on every machine";
  };
  if (is_another_job(own, other))
    return node + " runs job '" + other.run_id + "', not '" + own.run_id +
           "': expected the --master-addr and --master-port of this job";
  if (other.ranks.nnodes != own.ranks.nnodes)
    return differs("--nnodes", other.ranks.nnodes, own.ranks.nnodes);
  if (other.ranks.nproc != own.ranks.nproc)
    return differs("--nproc", other.ranks.nproc, own.ranks.nproc);
  if (other.ranks.node_rank == own.ranks.node_rank) return two_machines_with(own.ranks.node_rank);
  return "";
}

}  // namespace ddp

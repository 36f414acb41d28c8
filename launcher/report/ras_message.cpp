#include "launcher/report/ras_message.hpp"

#include "common/join.hpp"

#include <fmt/core.h>

#include <cstddef>

namespace ddp {
namespace {

constexpr std::size_t kMostLines = 2;
constexpr std::size_t kMostNamed = 8;
constexpr std::size_t kMostCounts = 4;
constexpr std::size_t kMostOperations = 2;

std::string more(std::size_t all, std::size_t shown) {
  return all > shown ? fmt::format(" and {} more", all - shown) : "";
}

std::string number_of(const core::RasRank& rank, bool global) {
  return std::to_string(global ? *rank.rank : rank.number);
}

// "rank 3", "ranks 1, 3", "rank 3 of the communicator" where `global` is false.
std::string named(const std::vector<core::RasRank>& ranks, bool global) {
  std::string list;
  for (std::size_t i = 0; i < ranks.size() && i < kMostNamed; ++i)
    append_item(list, number_of(ranks[i], global));
  return (ranks.size() == 1 ? "rank " : "ranks ") + list + more(ranks.size(), kMostNamed) +
         (global ? "" : " of the communicator");
}

std::string subject(const core::RasCount& count, bool global) {
  if (!count.ranks.empty() && std::ssize(count.ranks) == count.size)
    return named(count.ranks, global);
  return fmt::format("{} {}", count.size, count.size == 1 ? "rank" : "ranks");
}

// The exceptions first, those of the most ranks last.
std::string mismatch_text(const core::RasMismatch& mismatch, bool global) {
  std::string text;
  const auto& counts = mismatch.counts;
  for (std::size_t i = 1; i < counts.size() && i <= kMostCounts; ++i) {
    const auto& count = counts[i];
    append_item(text, i > 1 ? fmt::format("{} {}", subject(count, global), count.operations)
                            : fmt::format("{} {} launched {} {} operations", subject(count, global),
                                          count.size == 1 ? "has" : "have", count.operations,
                                          mismatch.operation));
  }
  const std::size_t shown = kMostCounts + 1;
  if (counts.size() > shown) {
    append_item(text, fmt::format("{} other counts", counts.size() - shown));
    return text + fmt::format(", most ranks {}", counts[0].operations);
  }
  return text +
         fmt::format(", the {} {}", counts[0].size == 1 ? "other" : "others", counts[0].operations);
}

}  // namespace

std::string ras_text(const core::RasCommunicator& communicator) {
  std::string text;
  const bool global = communicator.global();
  const auto say = [&](const std::vector<core::RasRank>& ranks, const char* one, const char* many) {
    if (!ranks.empty())
      append_item(text, named(ranks, global) + (ranks.size() == 1 ? one : many), "; ");
  };
  for (std::size_t i = 0; i < communicator.mismatches.size() && i < kMostOperations; ++i)
    append_item(text, mismatch_text(communicator.mismatches[i], global), "; ");
  say(communicator.missing, " is missing", " are missing");
  say(communicator.left, " is not a member", " are not members");
  say(communicator.failed, " reports an error", " report an error");
  return text;
}

std::vector<std::string> ras_lines(const std::vector<core::RasCommunicator>& communicators) {
  std::vector<std::string> lines;
  std::size_t conspicuous = 0;
  for (const auto& communicator : communicators) {
    if (!communicator.conspicuous()) continue;
    ++conspicuous;
    if (lines.size() < kMostLines)
      lines.push_back("NCCL's RAS: communicator " + communicator.id + ": " +
                      ras_text(communicator));
  }
  if (conspicuous > kMostLines)
    lines.back() += fmt::format("; {} more {}", conspicuous - kMostLines,
                                conspicuous == kMostLines + 1 ? "communicator" : "communicators");
  return lines;
}

std::string ras_numbering(const core::RasCommunicator& communicator) {
  return communicator.global() ? "global" : "communicator";
}

std::string ras_rank_list(const core::RasCommunicator& communicator,
                          const std::vector<core::RasRank>& ranks) {
  const bool global = communicator.global();
  std::string list;
  for (const auto& rank : ranks) append_item(list, number_of(rank, global), ",");
  return list;
}

}  // namespace ddp

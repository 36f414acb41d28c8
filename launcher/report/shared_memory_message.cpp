#include "launcher/report/shared_memory_message.hpp"

#include "common/utf8.hpp"
#include "launcher/base/memory_size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ddp {
namespace {

constexpr std::size_t kMostNamed = 3;  // per outcome

std::string outcome(const core::ReportedSegment& reported, core::CleanSharedMemory policy) {
  if (reported.removed) return "removed";
  if (!reported.failure.empty()) return "could not be removed: " + reported.failure;
  if (reported.segment.proof == core::SegmentProof::none)
    return "kept, because its owner is unknown";
  if (reported.segment.maybe_used) return "kept, because another user's process may use it";
  if (policy == core::CleanSharedMemory::none) return "kept (--clean-shm none)";
  return "kept, because the program chose its name (--clean-shm all removes it)";
}

std::string line(const core::ReportedSegment& reported, const std::string& end,
                 core::GlobalRank first_rank) {
  const core::Segment& left = reported.segment;
  const std::string path = without_controls(left.path);
  if (left.proof == core::SegmentProof::none || !left.rank)
    return fmt::format(
        "{} of shared memory in {} appeared during this attempt and no process uses it; {}",
        memory_size(left.bytes), path, end);
  return fmt::format("rank {} left {} of shared memory in {}; {}",
                     to_string(global_rank(first_rank, *left.rank)), memory_size(left.bytes), path,
                     end);
}

}  // namespace

std::vector<std::string> shared_memory_lines(const std::vector<core::ReportedSegment>& segments,
                                             core::CleanSharedMemory policy,
                                             core::GlobalRank first_rank) {
  // By outcome, in order of appearance; within an outcome the largest segment first.
  std::vector<std::pair<std::string, std::vector<const core::ReportedSegment*>>> groups;
  for (const core::ReportedSegment& reported : segments) {
    const std::string end = outcome(reported, policy);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& one) { return one.first == end; });
    if (group == groups.end()) group = groups.insert(groups.end(), {end, {}});
    group->second.push_back(&reported);
  }
  std::vector<std::string> lines;
  for (auto& [end, members] : groups) {
    std::stable_sort(members.begin(), members.end(),
                     [](const core::ReportedSegment* a, const core::ReportedSegment* b) {
                       return a->segment.bytes > b->segment.bytes;
                     });
    // "and 1 more" would be no shorter than the name.
    const std::size_t named = members.size() == kMostNamed + 1 ? members.size() : kMostNamed;
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i < named)
        lines.push_back(line(*members[i], end, first_rank));
      else
        rest += members[i]->segment.bytes;
    }
    if (members.size() > named)
      lines.push_back(
          fmt::format("and {} more, {}; {}", members.size() - named, memory_size(rest), end));
  }
  return lines;
}

}  // namespace ddp

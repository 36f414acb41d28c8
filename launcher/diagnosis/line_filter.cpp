#include "launcher/diagnosis/line_filter.hpp"

#include "common/faults/line_pattern.hpp"

#include <algorithm>
#include <cstring>

namespace ddp::diagnosis {
namespace {

constexpr std::size_t kHashed = 4;  // bytes

// 11 bits of the four bytes at `text`.
std::uint32_t hash(const char* text) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, text, kHashed);
  return (bytes * 2654435761U) >> 21;
}

}  // namespace

LineFilter::LineFilter(std::span<const Signature> signatures) {
  always_.reserve(signatures.size());
  for (const auto& signature : signatures) {
    const auto& lines = signature.lines;
    always_.push_back(lines.empty() || std::any_of(lines.begin(), lines.end(), [](const auto& one) {
                        return one.literal.size() < kHashed;
                      }));
    if (always_.back()) continue;
    for (const auto& one : lines) {
      auto& first = first_[hash(one.literal.data())];
      literals_.push_back({one.literal, always_.size() - 1, first});
      first = static_cast<std::uint32_t>(literals_.size());
    }
  }
}

std::vector<bool> LineFilter::possible(const std::vector<std::string>& lines) const {
  auto possible = always_;
  for (const auto& line : lines) {
    auto rest = std::string_view(line).substr(0, LinePattern::kSearched);
    for (; rest.size() >= kHashed; rest.remove_prefix(1)) {
      for (auto at = first_[hash(rest.data())]; at != 0; at = literals_[at - 1].next) {
        const auto& literal = literals_[at - 1];
        if (!possible[literal.signature] && rest.starts_with(literal.text))
          possible[literal.signature] = true;
      }
    }
  }
  return possible;
}

}  // namespace ddp::diagnosis

// What the machines of a job must agree on, as one line, and whether two of them do.
#pragma once

#include "launcher/core/ranks.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ddp {

inline constexpr std::size_t kLongestLayout = 64;  // of a line, its newline included

// "ddp-launch 1 <nnodes> <nproc> <node rank>\n"; 1 is the version of the protocol.
std::string layout_line(const core::RankGroup& ranks);
// None: it is no such line.
std::optional<core::RankGroup> read_layout(std::string_view line);

// In what `other` contradicts `own`, in words; empty: they fit together.
std::string disagreement(const core::RankGroup& own, const core::RankGroup& other);

}  // namespace ddp

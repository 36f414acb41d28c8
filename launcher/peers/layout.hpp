// What the machines of a job must agree on, as one line, and whether two of them do.
#pragma once

#include "launcher/core/ranks.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ddp {

struct Layout {
  core::RankGroup ranks;
  std::string run_id = "-";     // "-": not given, so machines have different ones
  std::string launch_id = "-";  // random: each launch has a different one
};

inline constexpr std::size_t kLongestLayout = 256;  // of a line, its newline included

// "ddp-launch 1 <nnodes> <nproc> <node rank> <run id> <launch id>\n"; 1 is the version of the
// protocol. An id is a run id (launcher/rendezvous/run_id.hpp) or "-".
std::string layout_line(const Layout& layout);
// None: it is no such line.
std::optional<Layout> read_layout(std::string_view line);

// Both were given a name for their run, and not the same one: they are no machines of one job.
bool is_another_job(const Layout& own, const Layout& other);
// In what `other` contradicts `own`, in words; empty: they fit together.
std::string disagreement(const Layout& own, const Layout& other);

}  // namespace ddp

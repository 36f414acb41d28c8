// The prefix that says whose line it is, and lines with it.
#pragma once

#include "launcher/output/out_buffer.hpp"

#include <string>
#include <string_view>

namespace ddp::out {

// "[rank] ", the rank padded to the width of the largest rank, so that lines align; with `colour`
// the bracket has the rank's own colour (six that read on dark and light, in turn).
std::string rank_prefix(int rank, int world_size, bool colour);

// Appends each of `lines` (every one ends in '\n') behind `prefix`. Bytes are unchanged.
void append_lines(OutBuffer& to, std::string_view prefix, std::string_view lines);

// The same for a terminal: of a line that overwrites itself with '\r' only the visible segment.
void append_visible_lines(OutBuffer& to, std::string_view prefix, std::string_view lines);

}  // namespace ddp::out

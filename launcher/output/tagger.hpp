// Lines with their prefix (prefix.hpp).
#pragma once

#include "launcher/output/out_buffer.hpp"

#include <string_view>

namespace ddp::out {

// Appends each of `lines` (every one ends in '\n') behind `prefix`. Bytes are unchanged.
void append_lines(OutBuffer& to, std::string_view prefix, std::string_view lines);

// The same for a terminal: of a line that overwrites itself with '\r', only the visible segment.
void append_visible_lines(OutBuffer& to, std::string_view prefix, std::string_view lines);

}  // namespace ddp::out

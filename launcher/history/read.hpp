// Reads events.jsonl.
#pragma once

#include "common/result.hpp"
#include "launcher/history/history.hpp"

#include <iosfwd>
#include <string>

namespace ddp::history {

// A line that is no event (the last of a launcher that was killed is cut off) is counted and
// skipped. Unknown events and fields are ignored. The error is one line with the path: the file
// cannot be read, has no event, or has those of another version of the format.
//
// Memory is bounded, whatever the size of the file: no more than one line of it is held, and a line
// of more than a mebibyte is skipped.
Result<History> read(const std::string& path);
Result<History> read(std::istream& events, const std::string& path);

}  // namespace ddp::history

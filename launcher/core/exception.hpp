// The Python exception that ended a rank, as far as its error file or its output shows it.
#pragma once

#include "launcher/core/types.hpp"

#include <string>
#include <vector>

namespace ddp::core {

struct RankException {
  // "ValueError: bad data in shard 7": one line, without control characters.
  std::string text;
  // The last lines of its traceback, with the exception's own line; a bounded number. Empty: none
  // is known.
  std::vector<std::string> traceback;
  bool recorded = false;  // by the rank in TORCHELASTIC_ERROR_FILE; else recognised in its output
};

}  // namespace ddp::core

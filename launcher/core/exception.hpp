// The Python exception that ended a rank, as far as its error file or its output shows it.
#pragma once

#include "launcher/core/types.hpp"

#include <optional>
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

// Of another rank than the root cause. A rank may need seconds from its exception to its exit, and
// its peers fail meanwhile.
struct EarlierException {
  LocalRank local_rank = 0;
  std::string text;
  Nanoseconds by{};  // how much earlier
};

}  // namespace ddp::core

// What the failure report says of a Python exception. Pure.
#pragma once

#include "launcher/core/exception.hpp"
#include "launcher/core/types.hpp"

#include <string>
#include <vector>

namespace ddp {

// The lines below the cause: `tail`, the rank's last lines. What the rank recorded of its exception
// comes above them, and replaces those that repeat it and all before the exception's line.
std::vector<std::string> failure_lines(const core::RankException& exception,
                                       const std::vector<std::string>& tail);

// "rank 1 recorded an exception 213 ms earlier: ValueError: bad data".
std::string earlier_text(const core::EarlierException& earlier, core::GlobalRank first_rank);

}  // namespace ddp

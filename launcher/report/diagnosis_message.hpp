// The diagnosis of a failure in words. Pure.
#pragma once

#include "launcher/core/diagnosis.hpp"

#include <string>
#include <vector>

namespace ddp {

// Lines without a newline: the cause, a line of the kernel's log that shows it, and what to do.
// `first_rank` is the global rank of local rank 0.
std::vector<std::string> diagnosis_lines(const core::Diagnosis& diagnosis,
                                         core::GlobalRank first_rank);

}  // namespace ddp

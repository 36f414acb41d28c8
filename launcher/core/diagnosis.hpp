// What a failure most likely means, in words, next to the verdict on which rank failed and how.
#pragma once

#include "launcher/core/ranks.hpp"

#include <optional>
#include <string>

namespace ddp::core {

struct Diagnosis {
  std::string signature;     // its name, such as "cuda-out-of-memory"
  std::string cause;         // one line
  std::string remedy;        // one line: what to do
  std::string evidence;      // the line that shows it; empty: the exit status or the system does
  bool from_kernel = false;  // the line is of the kernel's log
  std::optional<LocalRank> witness;  // the rank that wrote it, where it is not the root cause
};

}  // namespace ddp::core

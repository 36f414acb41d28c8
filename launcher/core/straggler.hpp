// A rank that is slower than the others.
#pragma once

#include "launcher/core/types.hpp"

namespace ddp::core {

struct Straggler {
  LocalRank local_rank = 0;
  Nanoseconds own{};     // a step
  Nanoseconds median{};  // of the median rank
  double factor = 0;     // own / median
  bool by_metric = false;
};

}  // namespace ddp::core

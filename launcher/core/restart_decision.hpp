// What follows a failed attempt: a restart, or the end of the run.
#pragma once

#include "launcher/core/types.hpp"

#include <variant>

namespace ddp::core {

struct RestartIn {
  Nanoseconds delay{};
};
struct GiveUp {
  enum class Reason {
    no_restarts_left,
    not_retryable,
    code_excluded,    // by --restart-on or --no-restart-on
    failed_too_soon,  // for --restart-after
    crash_loop,
    stop_requested,
    out_of_time,  // the time limit of the run
    unkillable
  };
  Reason reason = Reason::no_restarts_left;
  int count = 0;  // restarts used, or attempts in the loop
};
using RestartDecision = std::variant<RestartIn, GiveUp>;

}  // namespace ddp::core

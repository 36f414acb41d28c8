// What ends a worker: one line for the user, and the exit code that goes with it.
#pragma once

#include <stdexcept>

namespace ddp::worker {

// Something the system, a peer or the data did: exit 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Something the user asked for that cannot be had: exit 2.
struct UsageError : Failure {
  using Failure::Failure;
};

}  // namespace ddp::worker

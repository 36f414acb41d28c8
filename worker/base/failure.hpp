// What ends a worker: one line for the user, and the exit code that goes with it.
#pragma once

#include "common/utf8.hpp"

#include <cstdio>
#include <stdexcept>
#include <string_view>

namespace ddp::worker {

// Something the system, a peer or the data did: exit 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Something the user asked for that cannot be had: exit 2.
struct UsageError : Failure {
  using Failure::Failure;
};

// A peer is gone or does not answer: exit 1, once the launcher had time to see whose end it was.
struct PeerFailure : Failure {
  using Failure::Failure;
};

inline void complain(int rank, std::string_view what) {
  std::fprintf(stderr, "worker: rank %d: %s\n", rank, without_controls(what).c_str());
}

}  // namespace ddp::worker

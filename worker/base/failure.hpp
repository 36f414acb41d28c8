// Room: worker/base. What all rooms of the worker use: failures, random numbers, digests, the stop
// flag.
// Includes: common. Included by: worker, worker/checkpoint, worker/cli, worker/comm, worker/data,
// worker/gpu, worker/model, worker/store.
//
// The errors that end a worker: one line for the user, and an exit code.
#pragma once

#include "common/utf8.hpp"

#include <cstdio>
#include <stdexcept>
#include <string_view>

namespace ddp::worker {

// Caused by the system, a peer or the data: exit code 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Caused by an option or the environment: exit code 2.
struct UsageError : Failure {
  using Failure::Failure;
};

// A peer is gone or does not answer: exit code 1, after a delay in which the launcher can see which
// rank failed first.
struct PeerFailure : Failure {
  using Failure::Failure;
};

// Prints the line on stderr.
inline void complain(int rank, std::string_view what) {
  std::fprintf(stderr, "worker: rank %d: %s\n", rank, without_controls(what).c_str());
}

}  // namespace ddp::worker

// fork and exec for the test harness.
#pragma once

#include "tests/support/process.hpp"

namespace ddp::test {

struct Spawned {
  int pid = 0;
  int in = -1;   // write end of its stdin, or the terminal
  int out = -1;  // read end of its stdout, non-blocking; under a terminal a duplicate of `in`
  int err = -1;
};

// Throws std::system_error when a step between fork and exec fails.
Spawned spawn(const Start& start, const std::string& tag);

}  // namespace ddp::test

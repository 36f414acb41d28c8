// What a worker reads from its environment. What is missing, malformed or contradictory is an
// error.
#pragma once

#include "common/get_env.hpp"
#include "common/result.hpp"

#include <cstdint>
#include <string>

namespace ddp {

struct WorkerEnv {
  bool launched = false;  // false: no launcher; a world of one
  int rank = 0;
  int local_rank = 0;  // LOCAL_RANK, 0 if unset
  int world_size = 1;
  int local_world_size =
      1;                    // LOCAL_WORLD_SIZE, 1 if unset and alone, WORLD_SIZE if unset otherwise
  std::string master_addr;  // empty when alone
  std::uint16_t master_port = 0;
  int restart_count = 0;  // TORCHELASTIC_RESTART_COUNT: the attempt
  std::string run_id;     // TORCHELASTIC_RUN_ID, may be empty
};

// With none of RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set: a world of one. Otherwise RANK
// and WORLD_SIZE must be set, and for WORLD_SIZE > 1 MASTER_ADDR and MASTER_PORT as well. The
// error names the variable, its value and what is allowed.
Result<WorkerEnv> read_worker_env(const GetEnv& get_env);
Result<WorkerEnv> read_worker_env();  // of this process

}  // namespace ddp

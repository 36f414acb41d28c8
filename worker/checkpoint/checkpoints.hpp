// Room: worker/checkpoint. Checkpoints: written atomically, verified, found again after a restart.
// Includes: common, common/client, worker/base, worker/cli, worker/comm, worker/data, worker/model.
// Included by: worker.
//
// Checkpoints for the trainer: rank 0 reads and writes them, and all ranks continue from the same
// one, on any number of ranks.
#pragma once

#include "common/client/fault_points.hpp"
#include "worker/checkpoint/store.hpp"
#include "worker/cli/options.hpp"
#include "worker/cli/report.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/data/corpus.hpp"
#include "worker/model/engine.hpp"

#include <cstdint>
#include <optional>

namespace ddp::worker {

class Checkpoints {
 public:
  // Keeps references to all arguments. Without --checkpoint-dir, all calls do nothing. Throws
  // Failure where the directory cannot be used.
  Checkpoints(const Options& options, const Corpus& corpus, Engine& engine,
              Communicator& communicator, FaultPoints& faults, Report& report);

  bool enabled() const { return !options_.checkpoint_dir.empty(); }

  // Loads the newest checkpoint that fits and returns its step; 0 if there is none. All ranks call
  // it.
  std::int64_t restore();

  bool due(std::int64_t step) const {
    return enabled() && options_.checkpoint_every > 0 && step % options_.checkpoint_every == 0;
  }
  // Call after step `step`. Rank 0 writes; the others return at once.
  void save(std::int64_t step);

 private:
  const Options& options_;
  Engine& engine_;
  Communicator& communicator_;
  FaultPoints& faults_;
  Report& report_;
  std::optional<CheckpointStore> store_;  // of rank 0
};

}  // namespace ddp::worker

// Room: worker. The demo worker: data-parallel training of a small language model.
// Includes: common/client, worker/base, worker/checkpoint, worker/cli, worker/comm, worker/data,
// worker/gpu, worker/model. Included by: no other.
//
// The training loop, the same for every device and backend.
#pragma once

#include "common/client/fault_points.hpp"
#include "common/client/notifier.hpp"
#include "worker/checkpoint/checkpoints.hpp"
#include "worker/cli/options.hpp"
#include "worker/cli/report.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/data/corpus.hpp"
#include "worker/data/sampler.hpp"
#include "worker/model/engine.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ddp::worker {

class Trainer {
 public:
  // References, which must outlive the trainer.
  struct Parts {
    const Options& options;
    const Corpus& corpus;
    Engine& engine;
    Communicator& communicator;
    Checkpoints& checkpoints;
    Notifier& notifier;
    FaultPoints& faults;
    Report& report;
  };
  explicit Trainer(const Parts& parts);

  // Resumes from a checkpoint if there is one, trains, validates, prints the summary and, if asked
  // for, generated text. After a stop request (worker/base/stop.hpp) it stops after the current
  // step, with a checkpoint. Throws Failure.
  void run();

 private:
  // Trains the steps after `done`. True when all steps are done, false when stopped.
  bool train(std::int64_t done, Summary& summary);
  StepOutcome train_step(std::int64_t step);
  double validate(std::int64_t step);
  void fill(std::span<const std::uint64_t> samples, const Text& text);
  void start_buckets(std::size_t ready_end, std::int64_t step);
  // Injects the faults of this step in the communication and the gradient.
  void take_faults(std::int64_t step);
  void damage(const Range& bucket);
  double learning_rate(std::int64_t step) const;
  std::string verified_digest();
  std::string generate(int bytes);

  const Options& options_;
  const Corpus& corpus_;
  Engine& engine_;
  Communicator& communicator_;
  Checkpoints& checkpoints_;
  Notifier& notifier_;
  FaultPoints& faults_;
  Report& report_;
  Sampler sampler_;
  std::vector<Range> buckets_;
  std::size_t next_bucket_ = 0;
  double busy_seconds_ = 0;  // of the current step, before it waits for other ranks
  std::vector<fault::WorkerFaults::Injection> gradient_faults_;  // of the current step
  std::vector<std::uint8_t> contexts_;
  std::vector<std::uint8_t> targets_;
};

// The most samples that a rank computes at once with these options: the capacity that an engine
// needs.
std::size_t largest_part(const Options& options, int world_size);

}  // namespace ddp::worker

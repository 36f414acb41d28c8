#include "worker/checkpoint/checkpoints.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <string>

namespace ddp::worker {
namespace {

// The shortest text that reads back as the same number.
std::string exact(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

// Everything that determines the results of the run. The number of ranks, --accumulate and --steps
// do not.
Configuration configuration_of(const Options& o, const Corpus& corpus) {
  return {{"--context", std::to_string(o.model.context)},
          {"--embed", std::to_string(o.model.embed)},
          {"--hidden", std::to_string(o.model.hidden)},
          {"--layers", std::to_string(o.model.layers)},
          {"--batch", std::to_string(o.batch)},
          {"--lr", exact(o.learning_rate)},
          {"--warmup", std::to_string(o.warmup)},
          {"--weight-decay", exact(o.weight_decay)},
          {"--grad-clip", exact(o.grad_clip)},
          {"--seed", std::to_string(o.seed)},
          {"--data digest", to_text(digest_of(std::as_bytes(corpus.training.all())))}};
}

std::span<std::byte> bytes_of(std::vector<float>& values) {
  return std::as_writable_bytes(std::span(values));
}

}  // namespace

Checkpoints::Checkpoints(const Options& options, const Corpus& corpus, Engine& engine,
                         Communicator& communicator, FaultPoints& faults, Report& report)
    : options_(options),
      engine_(engine),
      communicator_(communicator),
      faults_(faults),
      report_(report) {
  if (enabled() && communicator.rank() == 0) {
    store_.emplace(options.checkpoint_dir, options.keep, engine.layout(),
                   configuration_of(options, corpus));
  }
}

std::int64_t Checkpoints::restore() {
  if (!enabled()) return 0;
  std::int64_t step = 0;
  TrainingState state;
  if (store_) {
    auto loaded = store_->load_newest([&](const std::string& name, const std::string& reason) {
      report_.note("checkpoint " + name + " refused: it " + reason);
    });
    if (loaded) {
      step = loaded->progress.step;
      state = std::move(loaded->state);
      report_.note("resumed after step " + std::to_string(step) + " from " + loaded->name);
    }
  }
  communicator_.broadcast(std::as_writable_bytes(std::span(&step, 1)), 0);
  if (step == 0) return 0;
  const std::size_t size = engine_.layout().size;
  for (auto* values : {&state.parameters, &state.first_moment, &state.second_moment}) {
    values->resize(size);
    communicator_.broadcast(bytes_of(*values), 0);
  }
  engine_.load(state);
  return step;
}

void Checkpoints::save(std::int64_t step) {
  if (!store_) return;
  std::optional<CheckpointStore::Damage> damage;
  for (const auto& injection :
       faults_.take(step, {fault::Kind::corrupt_checkpoint, fault::Kind::cut_checkpoint}))
    damage = {injection.kind == fault::Kind::cut_checkpoint, injection.choice};
  const TrainingState state = engine_.save();
  if (!std::all_of(state.parameters.begin(), state.parameters.end(),
                   [](float value) { return std::isfinite(value); })) {
    throw Failure("the parameters are not finite after step " + std::to_string(step) +
                  ": no checkpoint is written of them");
  }
  store_->save({step, step * options_.batch}, state, damage);
}

}  // namespace ddp::worker

// The directory with the checkpoints of a run. Only rank 0 has one.
//
// A checkpoint is two files: step-<step>-<configuration>.safetensors, and a marker of the same name
// with .ok appended, which holds the size and digest of the first. The marker is written last:
// without it a checkpoint does not count. <configuration> is a digest of the settings that must be
// the same to continue, so that runs of different configurations never touch each other's files.
#pragma once

#include "worker/base/digest.hpp"
#include "worker/checkpoint/format.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ddp::worker {

class CheckpointStore {
 public:
  // Creates the directory if needed; throws Failure where files cannot be made in it. Keeps the
  // newest `keep` checkpoints of this configuration, at least 1.
  CheckpointStore(std::string directory, int keep, const Layout& layout,
                  Configuration configuration);

  // A fault that is injected while a checkpoint is written.
  struct Damage {
    bool cut = false;          // true: the process dies half-way; false: one byte is changed,
    std::uint64_t choice = 0;  // at `choice` modulo the size
  };

  struct Loaded {
    Progress progress;
    TrainingState state;
    std::string name;
  };
  // Loads the newest checkpoint that is complete and fits. Calls `refused` with the name and the
  // reason for each newer one, and for each that a killed writer left incomplete.
  std::optional<Loaded> load_newest(
      const std::function<void(const std::string& name, const std::string& reason)>& refused) const;

  // Writes a checkpoint, removes the oldest beyond `keep`, and returns the name. A complete
  // checkpoint of the same step is not rewritten. Throws Failure with the path; existing
  // checkpoints are still good then.
  std::string save(const Progress& progress, const TrainingState& state,
                   const std::optional<Damage>& damage = std::nullopt);

 private:
  struct Entry {
    std::int64_t step;
    std::string stem;  // the name without ".safetensors"
    bool own;          // of this configuration
  };
  std::vector<Entry> entries() const;  // newest first
  Loaded load(const Entry& entry) const;
  void prune(std::int64_t newest_step) const;
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string stem(std::int64_t step) const;

  std::string directory_;
  int keep_;
  const Layout& layout_;
  Configuration configuration_;
  std::vector<std::string> unfinished_;  // those that were found incomplete and removed
  std::string tag_;                      // eight digits of the configuration's digest
};

}  // namespace ddp::worker

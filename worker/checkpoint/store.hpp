// The checkpoints of a run in their directory. Rank 0's alone.
//
// A checkpoint is two files: step-<step>-<configuration>.safetensors, and the marker of the same
// name with .ok at its end, which holds the size and digest of the first. The marker is written
// last: without it a checkpoint does not count. <configuration> is a digest of what must be the
// same to continue, so that runs of different configurations never touch each other's files.
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
  // Creates the directory where needed; throws Failure where files cannot be made in it. `keep`
  // checkpoints of this configuration are kept, the newest; at least 1.
  CheckpointStore(std::string directory, int keep, const Layout& layout,
                  Configuration configuration);

  // What a fault plan does to a checkpoint while it is written.
  struct Damage {
    bool cut = false;          // the process dies half-way; otherwise one byte is changed, and
    std::uint64_t choice = 0;  // `choice` modulo the size tells which
  };

  struct Loaded {
    Progress progress;
    TrainingState state;
    std::string name;
  };
  // The newest that is whole and fits. Each newer one is handed to `refused`, its name and why, and
  // so is each that a writer which was killed had not finished.
  std::optional<Loaded> load_newest(
      const std::function<void(const std::string& name, const std::string& reason)>& refused) const;

  // Writes a checkpoint and removes the oldest beyond `keep`. One of the same step that is whole
  // stays as it is. Throws Failure naming the path; what was there before is still good then.
  // Returns the checkpoint's name.
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
  std::vector<std::string> unfinished_;  // what was found half written and removed
  std::string tag_;                      // eight digits of the configuration's digest
};

}  // namespace ddp::worker

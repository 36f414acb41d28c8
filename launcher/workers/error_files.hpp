// TORCHELASTIC_ERROR_FILE of each rank: in a directory that exists, or PyTorch's @record fails with
// a second exception.
#pragma once

#include "launcher/core/types.hpp"

#include <string>
#include <vector>

namespace ddp {

// Under a log directory the file is kept in torchrun's layout, <dir>/attempt_<k>/<local
// rank>/error.json. Elsewhere the ranks of an attempt share a directory: making one for each of 256
// ranks takes 100 ms on a slow file system.
std::string error_file_path(const std::string& run_dir, bool kept, core::Generation generation,
                            core::LocalRank local_rank);

class ErrorFiles {
 public:
  // `run_dir` is the log directory of the run, or where there is none `private_dir`.
  ErrorFiles(const std::string& run_dir, const std::string& private_dir, int nproc);

  // Before the first rank of an attempt starts. What the attempt before left in the private
  // directory is removed.
  void begin(core::Generation generation);
  // Before the rank starts: its path, whose directory is made. Where that fails under the log
  // directory (it was removed, the disk is full) the file is in the private one.
  std::string place(core::LocalRank local_rank);

  // Whether they are in a log directory, which may be on another machine.
  bool kept() const { return run_dir_ != private_dir_; }
  // Of a rank that was placed in this attempt; empty: it was not.
  const std::string& path(core::LocalRank local_rank) const {
    return paths_.at(static_cast<std::size_t>(local_rank));
  }

 private:
  const std::string run_dir_;
  const std::string private_dir_;
  core::Generation generation_ = 0;
  std::vector<std::string> paths_;  // by local rank
};

}  // namespace ddp

// What the processes of a hung group do, found out before they are stopped.
//
//   1. Two samples of every thread of every rank, kLookAgain apart, through /proc: proc.txt in the
//      rank's directory, and a picture of each.
//   2. A "1" into the pipe of PyTorch's flight recorder where a rank has one, and the signal that
//      was asked for; then kAnswerTime for the answers.
//      NCCL's RAS is asked from now on, while the other steps go on; only the end waits for its
//      answer.
//   3. The command for each rank: the suspect first, then those that are behind; as many at a time
//      as there are CPUs (a debugger needs one for a second or so), at most kCommandsAtOnce. What
//      they write goes to on-hang.log. At the deadline those that still run are killed.
// Rank by rank, each in a separate turn of the event loop: a group of many threads holds nothing
// else up. What cannot be written is reported once and left.
#pragma once

#include "launcher/core/event.hpp"
#include "launcher/core/hang.hpp"
#include "launcher/hangs/ras_query.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/workers/workers.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

inline constexpr std::chrono::milliseconds kLookAgain{200};
inline constexpr std::chrono::seconds kAnswerTime{2};
inline constexpr int kCommandsAtOnce = 8;

struct HangSubject {
  core::LocalRank local_rank = 0;
  int rank = 0;     // global
  int pid = 0;      // 0: not running
  std::string dir;  // where its evidence goes; made if need be
  bool behind = false;
};

struct HangEvidencePlan {
  std::vector<HangSubject> subjects;
  int cpus = 1;
  int world_size = 1;
  bool one_machine = true;                    // the launch has no ranks on others
  std::string command;                        // as --on-hang has it; empty: the default
  std::optional<int> signal;                  // to each rank's own process
  std::vector<std::string> flight_recorders;  // stems of pipes: <stem><rank>.pipe
  std::string own_flight_recorder;            // the launcher's stem; most ranks have no pipe there
  AskRas ask_ras;                             // none: NCCL's RAS is not asked
  std::string ras_address;                    // empty: none
  std::string ras_dir;                        // where its answer goes; made if need be
  std::chrono::steady_clock::time_point deadline;
};

class HangEvidence {
 public:
  struct Handlers {
    // What each subject does, in their order; answered with the suspect, if there is one.
    std::function<std::optional<core::LocalRank>(std::vector<core::ProcessPicture>)> seen;
    // Something was done for a subject: what, with which file or none, and what came of it.
    std::function<void(const HangSubject&, const std::string& what, const std::string& file,
                       const std::string& outcome)>
        kept;
    // NCCL's RAS answered, wholly or in part. The global ranks are filled in where they are
    // certain.
    std::function<void(core::RasAnswered)> ras;
    std::function<void()> done;
  };
  // `workers` is borrowed: the commands are its helpers.
  HangEvidence(os::Loop& loop, Workers& workers, HangEvidencePlan plan, Handlers handlers);
  ~HangEvidence();  // ends it: kills what runs; no handler is called any more

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp

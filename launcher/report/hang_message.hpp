// The report of a hang: which limit was exceeded, by which rank, and the state of every rank. Pure.
#pragma once

#include "launcher/core/hang.hpp"
#include "launcher/core/hangs/straggler_watch.hpp"
#include "launcher/core/hangs/task_picture.hpp"

#include <optional>
#include <string>

namespace ddp {

// "no new step for 30 s: rank 2 is behind at step 41 (phase train, stopped (T)); ranks 0, 1, 3 wait
// at step 42 (phase train, asleep in futex_wait_queue)". Ranks in the same state are listed
// together: the root cause first, then those that are behind.
std::string hang_text(const core::Hang& hang, std::optional<core::LocalRank> root_cause,
                      core::GlobalRank first_rank);

// "stopped (T)", "asleep in futex_wait_queue"; empty if nothing is known.
std::string process_text(const core::ProcessPicture& process);

// "ddp-launch: rank 2 is slow: …", a line.
std::string straggler_text(const core::Straggler& straggler, int window,
                           core::GlobalRank first_rank);

// A table of a process's threads, from two samples.
std::string tasks_text(int rank, int pid, const core::ProcessPicture& picture,
                       const core::ProcessSample& before, const core::ProcessSample& after);

}  // namespace ddp

// Finds the shared memory that the ranks of a generation left in /dev/shm, and whose it was.
//
//   generation_began()   remembers what is there already, and the time
//   look(pid, rank)      before a process is killed: what it has mapped or open is its rank's
//   left(workers)        once no process of the generation is left: what appeared since, is a
//                        regular file of this user's, and is used by no living process
//   remove(segment)     if it is still the same file
//
// Nothing is claimed that cannot be known. A file counts as unused when no process that /proc shows
// has it mapped or open. Processes that may not be inspected are held against it like this:
//   - of this user, started since the generation began: nothing counts as unused;
//   - of this user, older (ssh-agent, systemd's (sd-pam)): they cannot have joined the attempt;
//   - of another user: a file that group or others may open may be used (maybe_used). Root, whose
//     processes no user may inspect, is trusted not to have it.
// In a PID namespace of its own this process cannot see who else shares its /dev/shm, and a pid in
// a name may be another namespace's: there only what look() saw is proof.
#pragma once

#include "launcher/core/processes/shared_memory.hpp"
#include "launcher/os/process_table.hpp"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ddp::os {

// Whether pids here are those of the whole machine.
bool in_initial_pid_namespace();

class SharedMemoryWatch {
 public:
  explicit SharedMemoryWatch(std::string directory = "/dev/shm",
                             bool pids_are_unique = in_initial_pid_namespace());

  // One readdir. With more than kMostEntries nothing will be claimed.
  static constexpr std::size_t kMostEntries = 4096;
  void generation_began();

  // Reads its maps and descriptors, unless nothing has appeared in the directory since the
  // generation began. To be called while the process lives, for descendants of a rank too.
  void look(int pid, core::LocalRank rank);

  // Reads /proc of every process, but only where something has appeared. `workers`: the first
  // process of each rank; those that were looked at count as well.
  std::vector<core::Segment> left(const std::vector<RankProcess>& workers) const;

 private:
  struct Entry {
    std::string name;
    std::uint64_t inode = 0;
  };
  // Those that are not of before; nothing where it cannot be told.
  std::vector<Entry> appeared() const;

  std::string directory_;
  bool pids_are_unique_;
  bool knows_before_ = false;
  std::uint64_t device_ = 0;
  std::set<std::uint64_t> before_;                 // inodes
  std::chrono::nanoseconds began_{0};              // of the clock that stamps files
  std::uint64_t began_ticks_ = 0;                  // since boot, as /proc/<pid>/stat counts starts
  std::map<std::uint64_t, core::LocalRank> seen_;  // by inode
  std::map<int, core::LocalRank> looked_at_;       // by pid
};

// Empty where it is removed or gone already; else why not. The name is looked at right before: one
// that has become another file's is left alone.
std::string remove_shared_memory(const core::Segment& segment);

}  // namespace ddp::os

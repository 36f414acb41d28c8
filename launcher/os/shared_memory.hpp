// Finds the shared memory that the ranks of an attempt left in /dev/shm, and which rank it belonged
// to.
//
//   generation_began()   remembers the files that exist, and the time
//   inspect(pid, rank)   call before a process is killed: what it has mapped or open belongs to its
//   rank left(workers)        call once no process of the attempt is left: lists the files that
//   appeared
//                        since, are regular files of this user, and are used by no living process
//   remove_shared_memory(segment)   removes one, if it is still the same file
//
// A file is claimed only on proof. It counts as unused when no process in /proc has it mapped or
// open. Processes that cannot be inspected count like this:
//   - of this user, started since the attempt began: no file counts as unused;
//   - of this user, older (ssh-agent, systemd's (sd-pam)): they cannot have joined the attempt;
//   - of another user: a file that the group or others may open may be in use (maybe_used). Root,
//   whose
//     processes no user can inspect, is assumed not to use it.
// In a separate PID namespace this process cannot see who else shares its /dev/shm, and a pid in a
// file name may belong to another namespace: there, only what inspect() saw is proof.
#pragma once

#include "launcher/core/shared_memory.hpp"
#include "launcher/os/process_table.hpp"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ddp::os {

// Whether this process sees the pids of the whole machine.
bool in_initial_pid_namespace();

class SharedMemoryWatch {
 public:
  explicit SharedMemoryWatch(std::string directory = "/dev/shm",
                             bool pids_are_unique = in_initial_pid_namespace());

  // Reads the directory once. With more than kMostEntries files, nothing is claimed later.
  static constexpr std::size_t kMostEntries = 4096;
  void generation_began();

  // Reads the maps and descriptors of a living process: a rank's first process or a descendant.
  // Does nothing while no file has appeared since the attempt began.
  void inspect(int pid, core::LocalRank rank);

  // Reads /proc of every process, but only if a file has appeared. `workers` are the first
  // processes of the ranks; the processes given to inspect() count as well.
  std::vector<core::Segment> left(const std::vector<RankProcess>& workers) const;

 private:
  struct Entry {
    std::string name;
    std::uint64_t inode = 0;
  };
  // The files that were not there before; empty where that is unknown.
  std::vector<Entry> appeared() const;

  std::string directory_;
  bool pids_are_unique_;
  bool knows_before_ = false;
  std::uint64_t device_ = 0;
  std::set<std::uint64_t> before_;                 // inodes
  std::chrono::nanoseconds began_{0};              // of the clock that stamps files
  std::uint64_t began_ticks_ = 0;                  // since boot, as /proc/<pid>/stat counts starts
  std::map<std::uint64_t, core::LocalRank> seen_;  // by inode
  std::map<int, core::LocalRank> inspected_;       // by pid
};

// Removes a file. Returns an empty string where it is removed or already gone, else why not. The
// name is checked right before: if it now names another file, nothing is removed.
std::string remove_shared_memory(const core::Segment& segment);

}  // namespace ddp::os

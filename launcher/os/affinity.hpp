// CPUs and NUMA nodes as the kernel takes them.
#pragma once

#include <vector>

namespace ddp::os {

// The CPUs that this process may run on (sched_getaffinity), ascending; empty if the system does
// not report them.
std::vector<int> allowed_cpus();

// The numbers as a mask of the kernel's: bit n of word n / 64.
std::vector<unsigned long> bit_mask(const std::vector<int>& numbers);

// Why the system lets no process here set a memory policy, as an errno; 0: it does. Docker's
// default seccomp profile forbids it (EPERM), and a kernel without NUMA does not have it (ENOSYS).
// Changes nothing.
int memory_policy_refusal();

}  // namespace ddp::os

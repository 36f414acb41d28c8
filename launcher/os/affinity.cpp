#include "launcher/os/affinity.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <memory>

namespace ddp::os {
namespace {

constexpr std::size_t kWordBits = sizeof(unsigned long) * CHAR_BIT;

}  // namespace

std::vector<int> allowed_cpus() {
  // The kernel refuses a set that is smaller than its own, so this one is far larger than
  // cpu_set_t.
  constexpr int kMostCpus = 16384;
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
      CPU_ALLOC(kMostCpus), [](cpu_set_t* allocated) { CPU_FREE(allocated); });
  const std::size_t size = CPU_ALLOC_SIZE(kMostCpus);
  if (!set || ::sched_getaffinity(0, size, set.get()) != 0) return {};
  std::vector<int> cpus;
  for (int cpu = 0; cpu < kMostCpus; ++cpu) {
    if (CPU_ISSET_S(static_cast<std::size_t>(cpu), size, set.get())) cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<unsigned long> bit_mask(const std::vector<int>& numbers) {
  std::vector<unsigned long> mask;
  for (const int number : numbers) {
    const auto bit = static_cast<std::size_t>(number);
    if (mask.size() <= bit / kWordBits) mask.resize(bit / kWordBits + 1);
    mask[bit / kWordBits] |= 1UL << (bit % kWordBits);
  }
  return mask;
}

int memory_policy_refusal() {
  // No such policy exists. Only a process that may set one gets as far as EINVAL.
  constexpr int kNoPolicy = -1;
  if (::syscall(SYS_set_mempolicy, kNoPolicy, nullptr, 0UL) == 0 || errno == EINVAL) return 0;
  return errno;
}

}  // namespace ddp::os

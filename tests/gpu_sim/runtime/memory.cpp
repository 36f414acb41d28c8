#include "tests/gpu_sim/runtime/memory.hpp"

#include "tests/gpu_sim/runtime/misuse.hpp"
#include "tests/gpu_sim/runtime/settings.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace ddp::gpu_sim {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kRegion = std::size_t{1} << 36;  // addresses are not used again
constexpr std::size_t kAlignment = 16;  // less than cudaMalloc's 256, to end near the guard page
constexpr unsigned char kFill = 0xff;   // NaN in float and bf16
constexpr unsigned char kCanary = 0xa5;

struct Allocation {
  std::size_t size = 0;
  std::size_t pages = 0;  // in bytes
  int device = 0;
  bool freed = false;
};

class Memory {
 public:
  Memory() : host_(reserve()), alias_(reserve()), used_(settings().devices.size()) {}

  void* allocate(int device, std::size_t size) {
    const std::lock_guard lock(mutex_);
    std::size_t& used = used_[static_cast<std::size_t>(device)];
    const std::size_t pages = (size + kPage - 1) / kPage * kPage;
    if (size > settings().memory || used + size > settings().memory) return nullptr;
    if (next_ + pages + kPage > kRegion) return nullptr;
    unsigned char* const begin = alias_ + next_;
    if (::mprotect(begin, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
    const std::size_t front = (pages - size) / kAlignment * kAlignment;
    std::memset(begin, kCanary, front);
    std::memset(begin + front, kFill, size);
    std::memset(begin + front + size, kCanary, pages - front - size);
    unsigned char* const pointer = host_ + next_ + front;
    allocations_[pointer] = {size, pages, device};
    used += size;
    next_ += pages + kPage;
    return pointer;
  }

  bool release(void* pointer) {
    const std::lock_guard lock(mutex_);
    const auto found = allocations_.find(static_cast<unsigned char*>(pointer));
    if (found == allocations_.end() || found->second.freed) return false;
    Allocation& gone = found->second;
    unsigned char* const data = alias_ + (found->first - host_);
    unsigned char* const end = data + gone.size;
    auto* const begin =
        reinterpret_cast<unsigned char*>(reinterpret_cast<std::uintptr_t>(data) / kPage * kPage);
    const auto intact = [](unsigned char byte) { return byte == kCanary; };
    if (!std::all_of(begin, data, intact) || !std::all_of(end, begin + gone.pages, intact))
      misuse("something was written next to an allocation of " + std::to_string(gone.size) +
             " bytes");
    ::madvise(begin, gone.pages, MADV_DONTNEED);
    ::mprotect(begin, gone.pages, PROT_NONE);
    used_[static_cast<std::size_t>(gone.device)] -= gone.size;
    gone.freed = true;
    return true;
  }

  bool holds(const void* pointer) const { return inside(host_, pointer); }

  int device_of(const void* pointer, std::size_t size) {
    const std::lock_guard lock(mutex_);
    const auto* const begin = static_cast<const unsigned char*>(pointer);
    const auto found = at_or_before(begin);
    if (found == allocations_.end() || found->second.freed) return -1;
    const std::size_t offset = static_cast<std::size_t>(begin - found->first);
    const bool fits = offset <= found->second.size && size <= found->second.size - offset;
    return fits ? found->second.device : -1;
  }

  void* alias(const void* pointer) const {
    return alias_ + (static_cast<const unsigned char*>(pointer) - host_);
  }

  // Called by a handler of SIGSEGV: another thread may hold the lock, so there is none.
  std::string describe(const void* address) const {
    const bool by_host = inside(host_, address);
    if (!by_host && !inside(alias_, address)) return {};
    const unsigned char* const base = by_host ? host_ : alias_;
    const unsigned char* const pointer =
        host_ + (static_cast<const unsigned char*>(address) - base);
    std::string text = by_host ? "the host accessed device memory" : "the device accessed memory";
    const auto found = at_or_before(pointer);
    if (found == allocations_.end()) return text + " before all allocations";
    const auto offset = static_cast<std::size_t>(pointer - found->first);
    text += " at byte " + std::to_string(offset) + " of an allocation of " +
            std::to_string(found->second.size) + " bytes";
    return found->second.freed ? text + ", which was freed" : text;
  }

 private:
  using Map = std::map<const unsigned char*, Allocation>;

  static unsigned char* reserve() {
    void* const region =
        ::mmap(nullptr, kRegion, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) misuse("no address space for device memory");
    return static_cast<unsigned char*>(region);
  }

  static bool inside(const unsigned char* region, const void* pointer) {
    const auto offset =
        reinterpret_cast<std::uintptr_t>(pointer) - reinterpret_cast<std::uintptr_t>(region);
    return offset < kRegion;
  }

  Map::iterator at_or_before(const unsigned char* pointer) {
    const auto after = allocations_.upper_bound(pointer);
    return after == allocations_.begin() ? allocations_.end() : std::prev(after);
  }
  Map::const_iterator at_or_before(const unsigned char* pointer) const {
    const auto after = allocations_.upper_bound(pointer);
    return after == allocations_.begin() ? allocations_.end() : std::prev(after);
  }

  unsigned char* host_;
  unsigned char* alias_;
  std::mutex mutex_;  // of the host's threads: streams only translate addresses
  Map allocations_;
  std::vector<std::size_t> used_;
  std::size_t next_ = kPage;
};

Memory& memory() {
  static auto* const all = new Memory;  // streams use it until the very end
  return *all;
}

}  // namespace

void* allocate(int device, std::size_t size) { return memory().allocate(device, size); }
bool release(void* pointer) { return memory().release(pointer); }
bool is_device_pointer(const void* pointer) { return memory().holds(pointer); }
int device_of(const void* pointer, std::size_t size) { return memory().device_of(pointer, size); }

void* visible_to_device(const void* pointer) {
  if (is_device_pointer(pointer)) return memory().alias(pointer);
  return const_cast<void*>(pointer);
}

std::string describe_address(const void* address) { return memory().describe(address); }

}  // namespace ddp::gpu_sim

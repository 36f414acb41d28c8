// Device memory. Each byte has two addresses: the one that cudaMalloc returns, where nothing is
// mapped, so that the host crashes if it uses it, and the one where kernels and copies find it.
// Between two allocations, and where one was freed, nothing is mapped at either address.
#pragma once

#include <cstddef>
#include <string>

namespace ddp::gpu_sim {

// The first address of the allocation; null where the device has no room. The content is NaNs.
void* allocate(int device, std::size_t size);
// False where `pointer` is not the first address of an allocation. Ends the process where bytes
// next to the allocation were overwritten.
bool release(void* pointer);

bool is_device_pointer(const void* pointer);
// The device of an allocation that holds [pointer, pointer + size); -1 where there is none.
int device_of(const void* pointer, std::size_t size);
// The address for kernels and copies; host pointers as they are.
void* visible_to_device(const void* pointer);

// What lies at an address of either kind, for a message; empty for one that is neither.
std::string describe_address(const void* address);

}  // namespace ddp::gpu_sim

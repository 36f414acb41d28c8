#include "tests/gpu_sim/nccl/shared.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ddp::gpu_sim::nccl {
namespace {

std::size_t size_for(int ranks) {
  return sizeof(Shared) + static_cast<std::size_t>(ranks - 1) * sizeof(Slot);
}

// Its maker may not have given it its size yet.
bool has_size(int fd, std::size_t size) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  errno = EAGAIN;
  return static_cast<std::size_t>(status.st_size) == size;
}

}  // namespace

Shared* map_shared(const std::string& name, int ranks, bool create, std::string& why) {
  const int fd = ::shm_open(name.c_str(), O_RDWR | (create ? O_CREAT | O_EXCL : 0), 0600);
  const std::size_t size = size_for(ranks);
  void* memory = MAP_FAILED;
  if (fd >= 0 && (create ? ::ftruncate(fd, static_cast<off_t>(size)) == 0 : has_size(fd, size)))
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (memory == MAP_FAILED) {
    why = name + ": " + std::strerror(error);
    return nullptr;
  }
  return static_cast<Shared*>(memory);
}

void unmap_shared(Shared* shared, int ranks) { ::munmap(shared, size_for(ranks)); }

}  // namespace ddp::gpu_sim::nccl

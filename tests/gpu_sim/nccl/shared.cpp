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

std::string make_shared() {
  const int fd = ::memfd_create("nccl", MFD_CLOEXEC);
  if (fd < 0) return {};
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd);
}

Shared* map_shared(const std::string& name, int ranks, bool size_it, std::string& why) {
  const int fd = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
  const std::size_t size = size_for(ranks);
  void* memory = MAP_FAILED;
  if (fd >= 0 && (size_it ? ::ftruncate(fd, static_cast<off_t>(size)) == 0 : has_size(fd, size)))
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (memory == MAP_FAILED) {
    why = name + ": " + std::strerror(error);
    return nullptr;
  }
  return static_cast<Shared*>(memory);
}

}  // namespace ddp::gpu_sim::nccl

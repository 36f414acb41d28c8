// A library under the name of NVIDIA's driver, or of NCCL, which knows its version and nothing
// else: FAKE_LIBRARY_VERSION, as CUDA and NCCL number them.
#include <cstdlib>

namespace {

int version(int* into) {
  const char* const text = std::getenv("FAKE_LIBRARY_VERSION");
  if (text == nullptr) return 1;
  *into = std::atoi(text);
  return 0;
}

}  // namespace

extern "C" {
int cuDriverGetVersion(int* into) { return version(into); }
int ncclGetVersion(int* into) { return version(into); }
}

#include "launcher/output/colour.hpp"

#include "common/env_names.hpp"

#include <unistd.h>

#include <cstdlib>

namespace ddp::out {

bool wants_colour(int fd) {
  const char* const refused = std::getenv(env::kNoColor);
  return ::isatty(fd) == 1 && (refused == nullptr || *refused == '\0');
}

}  // namespace ddp::out

#include "launcher/os/limits.hpp"

namespace ddp::os {
namespace {

std::optional<rlimit>& at_start() {
  static std::optional<rlimit> limit;
  return limit;
}

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= limit.rlim_max) return;
  rlimit raised = limit;
  raised.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) at_start() = limit;
}

const std::optional<rlimit>& descriptor_limit_at_start() { return at_start(); }

rlim_t worker_descriptor_limit() {
  if (at_start()) return at_start()->rlim_cur;
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

}  // namespace ddp::os

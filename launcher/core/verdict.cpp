#include "launcher/core/verdict.hpp"

#include "launcher/core/exit_code.hpp"

#include <algorithm>

namespace ddp::core {

int exit_code_of(const Verdict& verdict) {
  if (!verdict.survivors.empty()) return kUnkillable;
  return verdict.cause ? exit_code_of(*verdict.cause, all_exited_0(verdict)) : int{kSuccess};
}

bool all_exited_0(const Verdict& verdict) {
  return std::all_of(verdict.workers.begin(), verdict.workers.end(), [](const auto& worker) {
    return worker.pid == 0 || (worker.status && succeeded(*worker.status));
  });
}

}  // namespace ddp::core

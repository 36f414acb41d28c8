#include "launcher/report/outer_error_file.hpp"

#include "common/env_names.hpp"
#include "launcher/base/write_file.hpp"
#include "launcher/report/error_file.hpp"

#include <chrono>
#include <cstdlib>

namespace ddp {
namespace {

// As torchrun counts: negative for a signal.
int error_code(const core::Cause& cause) {
  const auto status = core::exit_status_of(cause);
  if (!status) return 1;
  if (const auto* exited = std::get_if<core::Exited>(&*status)) return exited->code;
  return -std::get<core::Signaled>(*status).signal;
}

}  // namespace

std::string write_outer_error_file(const core::Incident& failure) {
  const char* const path = std::getenv(env::kErrorFile);
  if (path == nullptr || *path == '\0' || !failure.exception) return {};
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const std::string problem = write_whole_file(
      path, error_file_text(*failure.exception, error_code(failure.cause), now.count()));
  return problem.empty() ? "" : "cannot write TORCHELASTIC_ERROR_FILE: " + problem;
}

}  // namespace ddp

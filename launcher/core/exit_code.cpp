#include "launcher/core/exit_code.hpp"

#include <cerrno>

namespace ddp::core {

std::span<const ExitCodeRow> exit_code_table() {
  static constexpr ExitCodeRow kTable[] = {
      {"0", "all workers succeeded"},
      {"n", "the root cause's own exit code, when it exited non-zero"},
      {"128+n", "signal n killed the root cause, or stopped ddp-launch"},
      {"2",
       "usage: an option, a value or the configuration file is wrong, or the machines were started "
       "differently"},
      {"70", "ddp-launch's own fault: a bug, or its supervisor died"},
      {"71",
       "the system refused: processes, descriptors, memory, disk, a port in use, /proc; or "
       "--preflight or --check did"},
      {"72", "the group hung: not ready, no heartbeat, no step, no output in time, or --timeout"},
      {"73", "an expectation of the fault plan was not met; when all are met it is 0"},
      {"74", "a process of the group could not be killed"},
      {"126", "the program is not executable"},
      {"127", "the program was not found"},
  };
  return kTable;
}

std::string exit_codes_markdown() {
  std::string text = "| Code | Meaning |\n|---|---|\n";
  for (const auto& [code, meaning] : exit_code_table())
    text += "| " + std::string(code) + " | " + meaning + " |\n";
  return text;
}

int exit_code_of(const ExitStatus& status) {
  if (const auto* exited = std::get_if<Exited>(&status)) return exited->code;
  return kSignalBase + std::get<Signaled>(status).signal;
}

int exit_code_of(const SpawnError& error) {
  if (error.stage != SpawnStage::exec) return kSystemRefused;
  switch (error.error_number) {
    case ENOENT:
    case ENOTDIR:
      return kNotFound;
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case EISDIR:
    case ETXTBSY:
    case ELIBBAD:
    case ELOOP:
    case ENAMETOOLONG:
      return kNotExecutable;
    default:
      return kSystemRefused;
  }
}

}  // namespace ddp::core

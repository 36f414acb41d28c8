#include "launcher/report/stdin_hint.hpp"

#include "launcher/report/plain_text.hpp"

#include <fmt/core.h>

#include <cstddef>
#include <string_view>

namespace ddp {
namespace {

bool lacked_input(std::string_view line, std::string_view before) {
  if (line == "bdb.BdbQuit" || line == "EOFError: EOF when reading a line") return true;
  // Reading from a closed connection raises a bare EOFError too.
  return line == "EOFError" && before.find("input(") != std::string_view::npos;
}

}  // namespace

std::string stdin_hint(const std::vector<std::string>& tail, int rank) {
  std::string before;
  for (const auto& raw : tail) {
    std::string line = plain_text(raw);  // newer versions of Python colour it on a terminal (--pty)
    if (lacked_input(line, before))
      return fmt::format("rank {0} reads /dev/null; use --stdin {0} to give it ddp-launch's input",
                         rank);
    before = std::move(line);
  }
  return {};
}

}  // namespace ddp

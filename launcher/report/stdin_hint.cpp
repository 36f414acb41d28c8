#include "launcher/report/stdin_hint.hpp"

#include <fmt/core.h>

#include <cstddef>
#include <string_view>

namespace ddp {
namespace {

// Without colours: newer versions of Python colour a traceback on a terminal (--pty).
std::string without_colours(std::string_view line) {
  std::string text;
  for (std::size_t at = 0; at < line.size();) {
    if (line.substr(at, 2) != "\x1b[") {
      text += line[at++];
      continue;
    }
    const std::size_t end = line.find('m', at);
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return text;
}

bool lacked_input(std::string_view line, std::string_view before) {
  if (line == "bdb.BdbQuit" || line == "EOFError: EOF when reading a line") return true;
  // Reading from a closed connection raises a bare EOFError too.
  return line == "EOFError" && before.find("input(") != std::string_view::npos;
}

}  // namespace

std::string stdin_hint(const std::vector<std::string>& tail, int rank) {
  std::string before;
  for (const auto& raw : tail) {
    std::string line = without_colours(raw);
    if (lacked_input(line, before))
      return fmt::format("rank {0} reads /dev/null; use --stdin {0} to give it ddp-launch's input",
                         rank);
    before = std::move(line);
  }
  return {};
}

}  // namespace ddp

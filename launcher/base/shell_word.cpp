#include "launcher/base/shell_word.hpp"

#include "common/utf8.hpp"

#include <algorithm>
#include <cstring>

namespace ddp {

std::string shell_quoted(std::string_view word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shell_word(std::string_view word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::strchr("_-+=./,:@%", c) != nullptr;
  });
  return plain ? std::string(word) : without_controls(shell_quoted(word));
}

}  // namespace ddp

#include "launcher/toml_text.hpp"

#include "common/utf8.hpp"
#include "launcher/toml_config.hpp"
#include "launcher/toml_library.hpp"

#include <utility>
#include <vector>

namespace ddp {
namespace {

bool trips_an_assert(std::string_view text) {
  try {
    (void)toml::parse(text);
    return false;
  } catch (const TomlAssert&) {
    return true;
  }
}

// The line toml++ tripped over. It reads from front to back, so every longer beginning of the text
// trips as well: halving finds the first that does.
std::size_t line_of_assert(std::string_view text) {
  std::vector<std::size_t> ends;  // of each line, its newline included
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') ends.push_back(i + 1);
  }
  std::size_t low = 0;
  std::size_t high = ends.size();  // the last line, which may have no newline
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (trips_an_assert(text.substr(0, ends[middle]))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low + 1;
}

}  // namespace

Result<toml::table> parse_toml(std::string_view text, const std::string& path) {
  try {
    toml::parse_result parsed = toml::parse(text, path);
    if (parsed) return std::move(parsed).table();
    const toml::parse_error& error = parsed.error();
    const auto& at = error.source().begin;
    return Error{path + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
                 without_controls(error.description())};
  } catch (const TomlAssert&) {
    return Error{path + ":" + std::to_string(line_of_assert(text)) +
                 ": no TOML: expected a key, a table's name in [brackets], or a comment"};
  }
}

}  // namespace ddp

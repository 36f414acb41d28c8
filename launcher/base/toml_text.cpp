#include "launcher/base/toml_text.hpp"

#include "common/utf8.hpp"
#include "launcher/base/toml_config.hpp"
#include "launcher/base/toml_library.hpp"

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

// The first string, key or value, that holds a NUL: as an argument, a name or a path it would end
// there. As deep as toml++ lets a text nest.
const toml::source_region* find_nul(const toml::node& node) {
  if (const auto* text = node.as_string())
    return text->get().find('\0') == std::string::npos ? nullptr : &node.source();
  if (const auto* array = node.as_array()) {
    for (const auto& item : *array) {
      if (const auto* found = find_nul(item)) return found;
    }
  } else if (const auto* table = node.as_table()) {
    for (const auto& [key, value] : *table) {
      if (key.str().find('\0') != std::string_view::npos) return &key.source();
      if (const auto* found = find_nul(value)) return found;
    }
  }
  return nullptr;
}

std::string at(const std::string& path, const toml::source_position& position) {
  return path + ":" + std::to_string(position.line) + ":" + std::to_string(position.column) + ": ";
}

}  // namespace

Result<toml::table> parse_toml(std::string_view text, const std::string& path) {
  try {
    toml::parse_result parsed = toml::parse(text, path);
    if (parsed) {
      if (const auto* nul = find_nul(parsed.table()))
        return Error{at(path, nul->begin) + "a NUL character in a string"};
      return std::move(parsed).table();
    }
    const toml::parse_error& error = parsed.error();
    return Error{at(path, error.source().begin) + without_controls(error.description())};
  } catch (const TomlAssert&) {
    return Error{path + ":" + std::to_string(line_of_assert(text)) +
                 ": invalid TOML: expected a key, a table's name in [brackets], or a comment"};
  }
}

}  // namespace ddp

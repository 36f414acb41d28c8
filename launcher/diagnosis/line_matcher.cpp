#include "launcher/diagnosis/line_matcher.hpp"

#include <string.h>

#include <string>

namespace ddp::diagnosis {
namespace {

// memmem takes linear time for any text, unlike string_view::find.
bool contains(std::string_view line, std::string_view text) {
  return ::memmem(line.data(), line.size(), text.data(), text.size()) != nullptr;
}

}  // namespace

bool LineMatcher::found_in(std::string_view line) {
  line = line.substr(0, LinePattern::kSearched);
  for (std::size_t i = 0; i < conditions_.size(); ++i) {
    if (found_in(i, line)) return true;
  }
  return false;
}

bool LineMatcher::found_in(std::size_t condition, std::string_view line) {
  const auto& [literal, expression] = conditions_[condition];
  if (!contains(line, literal)) return false;
  if (expression.empty()) return true;
  auto& pattern = compiled_[condition];
  if (!pattern) {
    // It compiled when its file was read; without memory it is found in no line.
    auto compiled = LinePattern::compile(std::string(expression));
    if (!compiled) return false;
    pattern = std::move(*compiled);
  }
  return pattern->found_in(line);
}

}  // namespace ddp::diagnosis

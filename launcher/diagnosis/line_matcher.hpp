// Whether lines contain what a condition asks for. An expression is compiled only once a line
// contains its literal, and no longer kept than the matcher is.
#pragma once

#include "common/faults/line_pattern.hpp"
#include "launcher/diagnosis/signature.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ddp::diagnosis {

class LineMatcher {
 public:
  // Borrowed.
  explicit LineMatcher(std::span<const LineCondition> conditions)
      : conditions_(conditions), compiled_(conditions.size()) {}

  // Whether one of the conditions is found in the line's first LinePattern::kSearched bytes.
  bool found_in(std::string_view line);

 private:
  bool found_in(std::size_t condition, std::string_view line);

  std::span<const LineCondition> conditions_;
  std::vector<std::optional<LinePattern>> compiled_;
};

}  // namespace ddp::diagnosis

// An extended regular expression, as grep -E, over one line of output.
#pragma once

#include "common/result.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace ddp {

class LinePattern {
 public:
  // The error is the reason alone.
  static Result<LinePattern> compile(const std::string& expression);
  // Text that each line in which `expression` is found contains, so that others need no matching.
  // Empty where none is seen. `expression` is one that compile() accepts.
  static std::string required_text(std::string_view expression);
  static constexpr std::size_t kSearched = 4096;
  // Whether it is found in the line's first kSearched bytes: matching takes bounded time whatever a
  // worker writes.
  bool found_in(std::string_view line) const;

 private:
  struct Compiled;
  explicit LinePattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace ddp

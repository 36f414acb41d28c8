// An answer of a launch as values (docs/ddpctl.md).
#pragma once

#include "common/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::ctl {

// One line of an answer. Text from it has blanks for control characters, as a terminal needs it.
class Answer {
 public:
  // The error: it is no JSON object.
  static Result<Answer> parse(std::string_view line);

  bool has(const char* name) const;
  std::string text(const char* name) const;  // empty: none
  // As it was sent.
  std::string raw_text(const char* name) const;
  std::optional<std::int64_t> number(const char* name) const;
  std::optional<double> real(const char* name) const;
  bool flag(const char* name) const;
  std::vector<std::string> texts(const char* name) const;
  std::vector<Answer> objects(const char* name) const;

 private:
  class Impl;
  explicit Answer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace ddp::ctl

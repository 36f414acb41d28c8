// Prometheus' text format, version 0.0.4.
#pragma once

#include "launcher/metrics/histogram.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace ddp::metrics {

// `name="value"`: the value as valid UTF-8, with backslash, quote and newline escaped.
std::string label(std::string_view name, std::string_view value);

// Writes families one after another; the samples of a family follow its head.
class TextFormat {
 public:
  // Labels that every sample begins with, as label() makes them; separated by commas.
  explicit TextFormat(std::string common) : common_(std::move(common)) {}

  // `help` has no backslash and no newline. Every name is less than a line: `name` is borrowed
  // until the next family.
  void family(std::string_view name, std::string_view type, std::string_view help);
  // `labels` as label() makes them, separated by commas; may be empty.
  void sample(std::string_view labels, double value);
  void sample(std::string_view labels, std::int64_t value);
  void sample(std::string_view labels, bool value) { sample(labels, std::int64_t{value}); }
  void histogram(std::string_view labels, const Histogram& histogram);

  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view suffix, std::string_view labels, std::string_view bucket = {});

  std::string common_;
  std::string_view name_;
  std::string text_;
};

}  // namespace ddp::metrics

#include "launcher/metrics/text_format.hpp"

#include "common/utf8.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace ddp::metrics {
namespace {

// The shortest text that is read as the same number. Unlike printf it knows no locale.
template <class Number>
void append(std::string& text, Number number) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), end);
}

}  // namespace

std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char c : as_utf8(value)) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text + '"';
}

void TextFormat::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  for (const auto part :
       {std::string_view("# HELP "), name, std::string_view(" "), help,
        std::string_view("\n# TYPE "), name, std::string_view(" "), type, std::string_view("\n")})
    text_ += part;
}

void TextFormat::begin(std::string_view suffix, std::string_view labels, std::string_view bucket) {
  text_ += name_;
  text_ += suffix;
  text_ += '{';
  text_ += common_;
  if (!labels.empty()) {
    text_ += ',';
    text_ += labels;
  }
  if (!bucket.empty()) {
    text_ += ",le=\"";
    text_ += bucket;
    text_ += '"';
  }
  text_ += "} ";
}

void TextFormat::sample(std::string_view labels, double value) {
  begin("", labels);
  if (std::isfinite(value)) {
    append(text_, value);
  } else {
    text_ += std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  }
  text_ += '\n';
}

void TextFormat::sample(std::string_view labels, std::int64_t value) {
  begin("", labels);
  append(text_, value);
  text_ += '\n';
}

void TextFormat::histogram(std::string_view labels, const Histogram& histogram) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBuckets.size(); ++i) {
    below += histogram.in[i];
    begin("_bucket", labels, kBuckets[i].text);
    append(text_, below);
    text_ += '\n';
  }
  begin("_bucket", labels, "+Inf");
  append(text_, histogram.count);
  text_ += '\n';
  begin("_sum", labels);
  append(text_, histogram.sum);
  text_ += '\n';
  begin("_count", labels);
  append(text_, histogram.count);
  text_ += '\n';
}

}  // namespace ddp::metrics

// HTML in the making. What is no literal of this program is escaped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ddp::page {

// Markup is a literal, so that nothing which was read can become one by mistake.
class Markup {
 public:
  template <std::size_t N>
  consteval Markup(const char (&literal)[N])  // NOLINT: implicit by intent
      : text_(literal, N - 1) {}
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

class Html {
 public:
  Html& operator<<(Markup markup) {
    text_ += markup.text();
    return *this;
  }
  // For an element's content or a quoted attribute. Bytes that are no UTF-8 become U+FFFD, control
  // characters but newline and tab blanks.
  Html& text(std::string_view text);
  Html& number(std::int64_t number);
  // With as few digits after the point as needed, at most `digits`; 0 where it is not finite.
  Html& real(double number, int digits);
  // A file of this program, or text that was escaped already.
  Html& whole(std::string_view text) {
    text_ += text;
    return *this;
  }

  const std::string& str() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// JSON for the content of a script element: `<`, `>`, `&`, U+2028 and U+2029 as \u escapes, so that
// no text in it can end the element or a line.
std::string script_json(std::string_view json);

}  // namespace ddp::page

#include "launcher/page/html.hpp"

#include "common/utf8.hpp"

#include <fmt/format.h>

#include <cmath>

namespace ddp::page {

Html& Html::text(std::string_view text) {
  const std::string whole = is_utf8(text) ? std::string() : as_utf8(text);
  for (const char c : whole.empty() ? text : whole) {
    switch (c) {
      case '<':
        text_ += "&lt;";
        break;
      case '>':
        text_ += "&gt;";
        break;
      case '&':
        text_ += "&amp;";
        break;
      case '"':
        text_ += "&quot;";
        break;
      case '\'':
        text_ += "&#39;";
        break;
      case '\n':
      case '\t':
        text_ += c;
        break;
      default:
        text_ += is_control(c) ? ' ' : c;
    }
  }
  return *this;
}

Html& Html::number(std::int64_t number) {
  text_ += fmt::format_int(number).c_str();
  return *this;
}

Html& Html::real(double number, int digits) {
  if (!std::isfinite(number)) number = 0;
  std::string text = fmt::format("{:.{}f}", number, digits);
  if (text.find('.') != std::string::npos) {
    while (text.ends_with('0')) text.pop_back();
    if (text.ends_with('.')) text.pop_back();
  }
  text_ += text == "-0" ? "0" : text;
  return *this;
}

std::string script_json(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '<' || c == '>' || c == '&') {
      safe += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026";
    } else if (json.substr(i, 2) == "\xE2\x80" && i + 2 < json.size() &&
               (json[i + 2] == '\xA8' || json[i + 2] == '\xA9')) {
      safe += json[i + 2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace ddp::page

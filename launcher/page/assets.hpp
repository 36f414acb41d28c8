// The text of page.css, page.js and symbols.svg, which the build puts into the program.
#pragma once

#include <string_view>

namespace ddp::page {

extern const std::string_view kStyle;
extern const std::string_view kScript;
extern const std::string_view kSymbols;  // what the picture's marks are drawn with

}  // namespace ddp::page

// What the fuzz targets share. A target is one function that any bytes may be given to: libFuzzer
// calls it in the fuzz build, replay_main.cpp calls it with the corpus in every other. What must
// hold of a parser's answer is checked with require(), so that a wrong answer is found like a
// crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace ddp::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
}

// An error is one line for the user's eye, unless the text it quotes has several.
inline void require_one_line(const std::string& error, std::string_view input) {
  require(!error.empty(), "an error says something");
  const bool quotes_lines = input.find('\n') != std::string_view::npos;
  require(quotes_lines || error.find('\n') == std::string::npos, "an error is one line");
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

// The first byte as a number from 1 to 64, and the rest: for parsers that depend on how many ranks
// there are.
inline int take_count(std::string_view& text) {
  if (text.empty()) return 1;
  const int count = static_cast<unsigned char>(text.front()) % 64 + 1;
  text.remove_prefix(1);
  return count;
}

}  // namespace ddp::fuzz

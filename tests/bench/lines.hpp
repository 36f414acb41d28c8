// The lines the output measurement sends through a launcher: every byte of line i of rank r is
// known, so that a line that comes out is known to be whole or torn.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

namespace ddp::bench {

// "r<rank> i<index> " and 20 to 83 bytes of filling that depend on the index.
class LineWriter {
 public:
  explicit LineWriter(int rank) {
    char text[16];
    std::snprintf(text, sizeof text, "r%d i", rank);
    head_ = text;
    for (int i = 0; i < 256; ++i) alphabet_ += static_cast<char>('a' + i % 26);
  }

  void append(std::string& into, long index) const {
    char number[24];
    const int digits = std::snprintf(number, sizeof number, "%ld ", index);
    into += head_;
    into.append(number, static_cast<std::size_t>(digits));
    const auto i = static_cast<std::size_t>(index);
    into.append(alphabet_, i * 31 % 64, 20 + i * 7 % 64);
    into += '\n';
  }

 private:
  std::string head_;
  std::string alphabet_;
};

}  // namespace ddp::bench

// Which signatures some lines can match at all, found in one pass over the lines: their literals
// are looked up by their first four bytes. The index of the built-in ones and 80 lines of 55 bytes
// together take some 30 us.
#pragma once

#include "launcher/diagnosis/signature.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::diagnosis {

class LineFilter {
 public:
  // Borrows what the signatures refer to.
  explicit LineFilter(std::span<const Signature> signatures);

  // For each signature whether it may match `lines`; false: none of its line conditions does. One
  // without, or with a literal of less than four bytes, may match any lines.
  std::vector<bool> possible(const std::vector<std::string>& lines) const;

 private:
  struct Literal {
    std::string_view text;
    std::size_t signature;
    std::uint32_t next;  // of those with the same hash: its place plus 1; 0: none
  };

  std::vector<bool> always_;
  std::vector<Literal> literals_;
  std::array<std::uint32_t, 2048> first_{};  // by hash, as `next`
};

}  // namespace ddp::diagnosis

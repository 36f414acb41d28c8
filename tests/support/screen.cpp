#include "tests/support/screen.hpp"

#include <stdexcept>

namespace ddp::test {

void Screen::put(std::string character) {
  if (column_ == static_cast<std::size_t>(columns_)) {
    if (wraps_) {
      column_ = 0;
      ++row_;
    } else {
      --column_;
    }
  }
  if (row_ >= rows_.size()) rows_.resize(row_ + 1);
  auto& row = rows_[row_];
  if (row.size() <= column_) row.resize(column_ + 1, " ");
  row[column_++] = std::move(character);
}

// Carries out the sequence at the start, and returns what follows it.
std::string_view Screen::escape(std::string_view sequence) {
  const auto end = sequence.find_first_not_of("0123456789;?", 2);
  if (sequence.substr(0, 2) != "\x1b[" || end == std::string_view::npos)
    throw std::runtime_error("not a sequence of this screen");
  const auto arguments = sequence.substr(2, end - 2);
  switch (sequence[end]) {
    case 'm':
      break;
    case 'J':
      rows_.resize(row_ + 1);
      [[fallthrough]];
    case 'K':
      if (rows_[row_].size() > column_) rows_[row_].resize(column_);
      break;
    case 'A':
      if (row_ == 0) throw std::runtime_error("above the screen");
      --row_;
      break;
    case 'h':
    case 'l':
      if (arguments != "?7") throw std::runtime_error("not a mode of this screen");
      wraps_ = sequence[end] == 'h';
      break;
    default:
      throw std::runtime_error("not a sequence of this screen");
  }
  return sequence.substr(end + 1);
}

void Screen::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const char c = bytes.front();
    if (c == '\x1b') {
      bytes = escape(bytes);
      continue;
    }
    std::size_t length = 1;
    if (c == '\r') {
      column_ = 0;
    } else if (c == '\n') {
      if (++row_ >= rows_.size()) rows_.resize(row_ + 1);
    } else {
      while (length < bytes.size() && (static_cast<unsigned char>(bytes[length]) & 0xC0) == 0x80)
        ++length;
      put(std::string(bytes.substr(0, length)));
    }
    bytes.remove_prefix(length);
  }
}

std::vector<std::string> Screen::lines() const {
  std::vector<std::string> lines;
  for (const auto& row : rows_) {
    std::string line;
    for (const auto& character : row) line += character;
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace ddp::test

#include "launcher/output/line_splitter.hpp"

#include <utility>

namespace ddp::out {
namespace {

// A buffer that a rare long line made large is freed: there are two per worker.
void release_if_large(std::string& text) {
  constexpr std::size_t kKept = 1024;
  text.clear();
  if (text.capacity() > kKept) std::string().swap(text);
}

}  // namespace

std::string_view visible_segment(std::string_view line) {
  const std::size_t last = line.find_last_not_of('\r');
  if (last == std::string_view::npos) return {};
  const std::size_t before = line.rfind('\r', last);
  if (before != std::string_view::npos) line.remove_prefix(before + 1);
  return line;
}

LineSplitter::Pieces LineSplitter::feed(std::string_view chunk) {
  Pieces pieces;
  release_if_large(completed_);
  if (in_long_line_) {
    const std::size_t newline = chunk.find('\n');
    if (newline == std::string_view::npos) {
      pieces.long_more = chunk;
      return pieces;
    }
    in_long_line_ = false;
    pieces.long_ends = true;
    pieces.long_more = chunk.substr(0, newline + 1);
    chunk.remove_prefix(newline + 1);
  } else if (!held_.empty()) {
    const std::size_t newline = chunk.find('\n');
    if (newline == std::string_view::npos) {
      held_.append(chunk);
      if (held_.size() > kHeldLimit) {
        in_long_line_ = true;
        std::swap(held_, completed_);
        pieces.long_start = completed_;
      }
      return pieces;
    }
    held_.append(chunk.substr(0, newline + 1));
    std::swap(held_, completed_);
    pieces.held_line = completed_;
    chunk.remove_prefix(newline + 1);
  }
  const std::size_t last = chunk.rfind('\n');
  const std::size_t whole = last == std::string_view::npos ? 0 : last + 1;
  pieces.lines = chunk.substr(0, whole);
  const std::string_view rest = chunk.substr(whole);
  if (rest.size() > kHeldLimit) {
    in_long_line_ = true;
    pieces.long_start = rest;
  } else {
    held_.assign(rest);
  }
  return pieces;
}

std::string LineSplitter::take_segments(bool also_last) {
  if (held_.size() < (also_last ? 1U : 2U)) return {};
  const std::size_t from = also_last ? std::string::npos : held_.size() - 2;
  const std::size_t last = held_.rfind('\r', from);
  if (last == std::string::npos) return {};
  std::string taken = held_.substr(0, last + 1);
  held_.erase(0, last + 1);
  return taken;
}

std::string LineSplitter::take_held() { return std::exchange(held_, {}); }

}  // namespace ddp::out

#include "launcher/output/line_splitter.hpp"
#include "launcher/output/out_buffer.hpp"
#include "launcher/output/tagger.hpp"
#include "launcher/output/tail_buffer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace ddp::out;
using namespace std::string_view_literals;

namespace {

// What a splitter hands on, written as a console without other streams would get it.
struct Collected {
  std::string bytes;
  int long_lines = 0;

  void feed(LineSplitter& splitter, std::string_view chunk) {
    const auto pieces = splitter.feed(chunk);
    bytes += pieces.long_more;
    if (pieces.long_ends) CHECK(pieces.long_more.ends_with('\n'));
    if (!pieces.held_line.empty()) {
      CHECK(std::count(pieces.held_line.begin(), pieces.held_line.end(), '\n') == 1);
      CHECK(pieces.held_line.ends_with('\n'));
    }
    if (!pieces.lines.empty()) CHECK(pieces.lines.ends_with('\n'));
    bytes += pieces.held_line;
    bytes += pieces.lines;
    bytes += pieces.long_start;
    long_lines += pieces.long_start.empty() ? 0 : 1;
    CHECK(pieces.long_start.find('\n') == std::string_view::npos);
    CHECK(splitter.held().size() <= LineSplitter::kHeldLimit);
    CHECK(splitter.held().find('\n') == std::string_view::npos);
  }
};

std::string random_text(std::mt19937& random, std::size_t size) {
  // Newlines, NULs, '\r' and bytes that are no UTF-8 are all frequent.
  static constexpr char kBytes[] = {'\n', '\0', '\r', 'a', 'b', '\xff', '\x80', ' '};
  std::string text(size, '\0');
  for (char& byte : text) byte = kBytes[random() % sizeof kBytes];
  return text;
}

}  // namespace

TEST_CASE("any chunking of any bytes gives the same bytes, in order") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::string text = random_text(random, random() % 3000);
    LineSplitter splitter;
    Collected got;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 40, text.size() - at);
      got.feed(splitter, std::string_view(text).substr(at, size));
      at += size;
    }
    got.bytes += splitter.take_held();
    REQUIRE(got.bytes == text);
    CHECK(got.long_lines == 0);
  }
}

TEST_CASE(
    "a line longer than the limit is handed on as it comes, and the next one is a line again") {
  for (const std::size_t chunk_size :
       {std::size_t{1000}, std::size_t{65536}, std::size_t{200000}}) {
    CAPTURE(chunk_size);
    const std::string text =
        "before\n" + std::string(3 * LineSplitter::kHeldLimit, 'x') + "\nafter\n";
    LineSplitter splitter;
    Collected got;
    for (std::size_t at = 0; at < text.size(); at += chunk_size) {
      got.feed(splitter, std::string_view(text).substr(at, chunk_size));
    }
    CHECK(got.bytes == text);
    CHECK_FALSE(splitter.in_long_line());
    CHECK(got.long_lines == (chunk_size > 3 * LineSplitter::kHeldLimit ? 0 : 1));
  }
}

TEST_CASE("a '\\r' at the end may be half of a line's end and is not taken too early") {
  LineSplitter splitter;
  splitter.feed("10%\r20%\r");
  CHECK(splitter.take_segments(false) == "10%\r");
  CHECK(splitter.take_segments(false).empty());
  CHECK(splitter.feed("\n").held_line == "20%\r\n");
  splitter.feed("\r");
  CHECK(splitter.take_segments(false).empty());
  CHECK(splitter.take_segments(true) == "\r");
  CHECK(splitter.held().empty());
}

TEST_CASE("of a line that overwrites itself the last segment that is not empty is visible") {
  CHECK(visible_segment("10%\r20%") == "20%");
  CHECK(visible_segment("10%\r20%\r") == "20%\r");
  CHECK(visible_segment("plain\r") == "plain\r");
  CHECK(visible_segment("plain") == "plain");
  CHECK(visible_segment("\r\r").empty());
  CHECK(visible_segment("").empty());
}

TEST_CASE("every line gets the prefix and keeps its bytes") {
  OutBuffer buffer;
  append_lines(buffer, "[1] ", "a\n\nb\0c\n"sv);
  CHECK(buffer.pending() == "[1] a\n[1] \n[1] b\0c\n"sv);
  buffer.clear();
  append_lines(buffer, "", "raw\n");
  CHECK(buffer.pending() == "raw\n");
  buffer.clear();
  append_visible_lines(buffer, "[1] ", "x\n10%\r20%\nplain\r\n");
  CHECK(buffer.pending() == "[1] x\n[1] 20%\n[1] plain\r\n");
}

TEST_CASE("an output buffer keeps order over growth and consumption") {
  std::mt19937 random(3);
  OutBuffer buffer;
  std::string expected;
  std::string got;
  for (int round = 0; round < 2000; ++round) {
    const std::string piece = random_text(random, random() % 500);
    buffer.append(piece);
    expected += piece;
    const std::size_t taken = random() % (buffer.size() + 1);
    got += buffer.pending().substr(0, taken);
    buffer.consume(taken);
  }
  got += buffer.pending();
  CHECK(got == expected);
}

TEST_CASE("the tail keeps the last lines, cut, in bounded memory") {
  TailBuffer tail;
  CHECK(tail.last(20).empty());
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "line " + std::to_string(i) + "\n";
  tail.add_lines(lines);
  CHECK(tail.last(2) == std::vector<std::string>{"line 998", "line 999"});
  CHECK(tail.last(5000).size() == TailBuffer::kLines);
  tail.add_lines("\n\nlast\n");
  CHECK(tail.last(4) == std::vector<std::string>{"line 999", "", "", "last"});
  tail.add_line("10%\r99%\r");
  CHECK(tail.last(1).front() == "99%");
  for (int i = 0; i < 100; ++i) tail.add_line(std::string(1 << 20, 'x'));
  const auto kept = tail.last(TailBuffer::kLines);
  CHECK(kept.size() == TailBuffer::kBytes / TailBuffer::kLineBytes);
  CHECK(kept.back().size() == TailBuffer::kLineBytes);
}

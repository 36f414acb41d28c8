#include "launcher/report/traceback.hpp"

#include "common/utf8.hpp"
#include "launcher/report/plain_text.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace ddp {
namespace {

constexpr std::string_view kGroupHeader = "Exception Group Traceback (most recent call last):";
constexpr std::string_view kGroupMargin = "  | ";
constexpr std::string_view kFrame = "  File \"";
// Lines of others that may stand within a traceback: the launcher reads stdout and stderr apart.
constexpr int kStrayLines = 10;

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte >= 0x80;
}

// What Python or its libraries print before a traceback that does not end the program.
bool ends_no_program(std::string_view before) {
  constexpr std::array kMarks{
      std::string_view("Exception ignored "),
      std::string_view("Exception in thread "),
      std::string_view("Error in atexit"),
      std::string_view("Error in sys.excepthook"),
      std::string_view("--- Logging error ---"),
      std::string_view("Unhandled exception in thread"),
      std::string_view("Error in sys.unraisablehook"),
  };
  if (before.starts_with("Process ") && before.ends_with(':')) return true;  // multiprocessing's
  return std::any_of(kMarks.begin(), kMarks.end(),
                     [&](std::string_view mark) { return before.starts_with(mark); });
}

bool is_indented(std::string_view line) { return line.starts_with(' ') || line.starts_with('\t'); }

// Of the stack that c10 and NCCL add to the message of their exceptions.
bool is_native_frame(std::string_view line) {
  return line.starts_with("frame #") || line.starts_with("Exception raised from ");
}

// Python prints no header above a syntax error in the program itself: '  File "x.py", line 3'.
bool is_syntax_frame(std::string_view line) {
  const std::size_t at = line.find("\", line ");
  if (!line.starts_with(kFrame) || at == std::string_view::npos) return false;
  const std::string_view number = line.substr(at + 8);
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_syntax_error(std::string_view line) {
  return line.starts_with("SyntaxError") || line.starts_with("IndentationError") ||
         line.starts_with("TabError");
}

struct Block {
  std::size_t end = 0;  // the line after it
  bool found = false;   // it ends in an exception
  std::string exception;
  std::vector<std::string> lines;
};

class Finder {
 public:
  explicit Finder(std::span<const std::string> lines) {
    lines_.reserve(lines.size());
    for (const auto& raw : lines) {
      std::string plain = plain_text(raw);
      plain.resize(plain.find_last_not_of(' ') + 1);
      lines_.emplace_back(without_rank(plain));
    }
  }

  std::optional<core::RankException> last() const {
    std::optional<core::RankException> found;
    int after = 0;  // lines that belong to no traceback
    std::string_view before;
    for (std::size_t at = 0; at < lines_.size();) {
      const auto block = block_at(at);
      if (!block) {
        const std::string_view line = lines_[at++];
        if (!line.empty() && !is_indented(line) && !is_native_frame(line)) {
          ++after;
          before = line;
        }
        continue;
      }
      at = block->end;
      if (!block->found) {
        ++after;
      } else if (!ends_no_program(before)) {
        found = core::RankException{exception_line(block->exception), block->lines, false};
        for (auto& line : found->traceback) line = utf8_prefix(line, kExceptionBytes);
        after = 0;
      }
      before = {};
    }
    return after > kLinesAfterTraceback ? std::nullopt : found;
  }

 private:
  // The traceback that begins with this line.
  std::optional<Block> block_at(std::size_t at) const {
    // A progress bar may have left its last state at the start of the line.
    if (lines_[at].ends_with(kGroupHeader)) return group(at);
    if (lines_[at].ends_with(kTracebackHeader)) return plain(at, {});
    if (is_syntax_frame(lines_[at])) return syntax_error(at);
    return std::nullopt;
  }

  Block plain(std::size_t at, std::string_view margin) const {
    Block block{.end = at + 1, .lines = {std::string(kTracebackHeader)}};
    bool framed = false;
    int stray = 0;
    for (std::size_t i = at + 1; i < lines_.size(); ++i) {
      std::string_view line = lines_[i];
      if (!margin.empty() && line.starts_with(margin)) line.remove_prefix(margin.size());
      if (line.ends_with(kTracebackHeader)) return block;
      if (is_indented(line)) {
        framed = framed || line.starts_with(kFrame);
        block.lines.emplace_back(line);
        block.end = i + 1;
      } else if (framed && is_exception_line(line)) {
        block.lines.emplace_back(line);
        block.exception = line;
        block.end = i + 1;
        block.found = true;
        shorten(block.lines);
        return block;
      } else if (++stray > kStrayLines) {
        return block;
      }
    }
    return block;
  }

  // The traceback of an ExceptionGroup, up to the end of its members.
  Block group(std::size_t at) const {
    Block block = plain(at, kGroupMargin);
    while (block.end < lines_.size()) {
      const std::string_view line = lines_[block.end];
      const std::size_t text = line.find_first_not_of(' ');
      if (text == 0 || text == std::string_view::npos || (line[text] != '|' && line[text] != '+'))
        break;
      ++block.end;
    }
    return block;
  }

  std::optional<Block> syntax_error(std::size_t at) const {
    Block block{.end = at + 1, .lines = {lines_[at]}};
    for (std::size_t i = at + 1; i < lines_.size(); ++i) {
      block.lines.push_back(lines_[i]);
      if (is_indented(lines_[i]) || lines_[i].empty()) continue;
      if (!is_syntax_error(lines_[i])) return std::nullopt;
      block.exception = lines_[i];
      block.end = i + 1;
      block.found = true;
      shorten(block.lines);
      return block;
    }
    return std::nullopt;
  }

  // Keeps the header and the last frames, from a frame's first line on.
  static void shorten(std::vector<std::string>& lines) {
    if (lines.size() <= kTracebackLines) return;
    std::size_t from = lines.size() - (kTracebackLines - 2);
    while (from + 1 < lines.size() && !lines[from].starts_with(kFrame)) ++from;
    lines.erase(lines.begin() + 1, lines.begin() + static_cast<std::ptrdiff_t>(from));
    lines.insert(lines.begin() + 1, "  ...");
  }

  std::vector<std::string> lines_;
};

}  // namespace

bool is_exception_line(std::string_view line) {
  constexpr std::string_view kLocals = "<locals>";
  std::size_t at = 0;
  bool dotted = false;
  bool lower = false;
  for (;;) {
    const std::size_t begin = at;
    if (line.substr(at).starts_with(kLocals)) {
      at += kLocals.size();
    } else {
      while (at < line.size() && is_word(line[at])) {
        lower = lower || (line[at] >= 'a' && line[at] <= 'z');
        ++at;
      }
    }
    if (at == begin || (line[begin] >= '0' && line[begin] <= '9')) return false;
    if (at == line.size() || line[at] != '.') break;
    dotted = true;
    ++at;
  }
  // "ERROR: text" and "loss: 0.5" are lines of a log; classes are named in CamelCase. Modules have
  // others too, such as struct.error.
  const bool capital = (line[0] >= 'A' && line[0] <= 'Z') || line[0] == '_';
  if (!dotted && !(lower && capital)) return false;
  const std::string_view rest = line.substr(at);
  return rest.empty() || rest == ":" || rest.starts_with(": ");
}

std::string_view without_rank(std::string_view line) {
  while (line.starts_with("[rank")) {
    std::size_t at = 5;
    while (at < line.size() && line[at] >= '0' && line[at] <= '9') ++at;
    if (at == 5 || !line.substr(at).starts_with("]:")) break;
    line.remove_prefix(at + 2);
    if (line.starts_with(' ')) line.remove_prefix(1);
  }
  return line;
}

std::optional<core::RankException> find_traceback(std::span<const std::string> lines) {
  return Finder(lines).last();
}

std::string exception_line(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string line = plain_text(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line.resize(line.find_last_not_of(' ') + 1);
    // The ": " of an exception whose message is empty, or begins on the next line.
    if (is_exception_line(line) && line.find(':') + 1 == line.size()) line.pop_back();
    if (const std::size_t blank = line.find_first_not_of(' '); blank != 0)
      line.erase(0, blank == std::string::npos ? line.size() : blank);
    if (line.empty()) continue;
    if (line.size() <= kExceptionBytes) return line;
    return std::string(utf8_prefix(line, kExceptionBytes - 3)) + "...";
  }
  return {};
}

}  // namespace ddp

#include "launcher/preflight/table.hpp"

#include "launcher/core/exit_code.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace ddp {
namespace {

using core::Finding;
using Level = Finding::Level;

constexpr std::array<std::size_t, 4> kWidths{18, 7, 25, 24};  // with two blanks between: 80
constexpr std::size_t kFixIndent = 20;
constexpr std::size_t kFixWidth = 80 - kFixIndent;

// `text` as lines of at most `width` bytes, broken between words; a word that is longer is cut.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    std::string& line = lines.back();
    if (!line.empty() && line.size() + 1 + word.size() <= width) {
      line.append(" ").append(word);
      continue;
    }
    if (!line.empty()) lines.emplace_back();
    for (; word.size() > width; word.remove_prefix(width)) {
      lines.back() = word.substr(0, width);
      lines.emplace_back();
    }
    lines.back() = word;
  }
  return lines;
}

void append(std::string& text, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  text += line + "\n";
}

void append_row(std::string& text, const std::array<std::string, 4>& cells) {
  std::array<std::vector<std::string>, 4> columns;
  std::size_t height = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    columns[i] = wrapped(cells[i], kWidths[i]);
    height = std::max(height, columns[i].size());
  }
  for (std::size_t row = 0; row < height; ++row) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i)
      line += fmt::format("{:<{}}", row < columns[i].size() ? columns[i][row] : "", kWidths[i] + 2);
    append(text, std::move(line));
  }
}

}  // namespace

std::string preflight_table(std::span<const Finding> findings) {
  std::string text;
  append_row(text, {"check", "result", "found", "wanted"});
  for (const auto& finding : findings) {
    append_row(text, {finding.check, name_of(finding.level), finding.found, finding.wanted});
    if (finding.fix.empty()) continue;
    for (const auto& line : wrapped(finding.fix, kFixWidth))
      append(text, std::string(kFixIndent, ' ') + line);
  }
  const auto count = [&](Level level) {
    return std::count_if(findings.begin(), findings.end(),
                         [level](const Finding& one) { return one.level == level; });
  };
  const auto warnings = count(Level::warn);
  return text + fmt::format("\n{} ok, {} {}, {} refused; nothing was started\n", count(Level::ok),
                            warnings, warnings == 1 ? "warning" : "warnings", count(Level::refuse));
}

std::string preflight_line(const Finding& finding) {
  return finding.check + ": " + finding.found + ", expected " + finding.wanted + "; " + finding.fix;
}

int preflight_exit_code(std::span<const Finding> findings) {
  const bool refused = std::any_of(findings.begin(), findings.end(),
                                   [](const Finding& one) { return one.level == Level::refuse; });
  return refused ? core::kSystemRefused : core::kSuccess;
}

}  // namespace ddp

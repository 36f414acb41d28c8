#include "launcher/base/table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>

namespace ddp {

std::vector<std::string> aligned_rows(const std::vector<std::vector<std::string>>& rows,
                                      const std::vector<Align>& columns) {
  std::vector<std::size_t> widths(rows.empty() ? 0 : rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      const bool right = i < columns.size() && columns[i] == Align::right;
      // fmt pads to a width on the screen, where a character may have several bytes.
      line += right ? fmt::format("{:>{}}", row[i], widths[i])
                    : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace ddp

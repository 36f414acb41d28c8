// Text in columns.
#pragma once

#include <string>
#include <vector>

namespace ddp {

enum class Align { left, right };

// One line a row, without newline or trailing blanks. Each column is as wide as its widest cell,
// with two blanks between columns. `columns` says how each is aligned, words to the left and
// figures to the right; columns beyond it are aligned to the left. Every row has as many cells as
// the first.
std::vector<std::string> aligned_rows(const std::vector<std::vector<std::string>>& rows,
                                      const std::vector<Align>& columns = {});

}  // namespace ddp

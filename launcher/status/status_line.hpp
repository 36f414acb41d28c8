// What the status line says. Pure.
#pragma once

#include "launcher/core/progress/progress.hpp"
#include "launcher/core/types.hpp"

#include <string>

namespace ddp {

struct StatusView {
  core::TimePoint now;
  int max_restarts = 0;
  int columns = 80;  // of the terminal
  bool colour = false;
};

// "4/4 ranks  step 1,234/5,000 ━━━━╺━━━━━ 24 %  12.3 steps/s  loss 2.4113  0:01:40  5:06 left",
// less than `columns` wide: what matters least is left out first. In front, where there is
// something to say, what the group does and which attempt it is.
std::string status_line(const core::Progress& progress, const StatusView& view);

}  // namespace ddp

// A run's goodput in words.
#pragma once

#include "launcher/core/progress/goodput.hpp"

#include <string>

namespace ddp {

// "87.0 % of 60.1 s was training that lasted; 3.10 s repeated steps, 1.20 s recovery", the parts in
// order of their size, those below a thousandth of the total left out.
std::string goodput_text(const core::Goodput& goodput);

}  // namespace ddp

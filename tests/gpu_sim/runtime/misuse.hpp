// A use that a GPU would not survive, or would answer with a wrong result now and then.
#pragma once

#include <string>

namespace ddp::gpu_sim {

inline constexpr int kMisuseExit = 86;

// Ends the process with kMisuseExit and one line on stderr. The same line goes to a file in
// DDP_SIM_REPORTS, if that is set: a launcher may restart the process, and the test would pass.
[[noreturn]] void misuse(const std::string& what);

}  // namespace ddp::gpu_sim

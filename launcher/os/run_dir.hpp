// The private directory of one launch (mode 0700): sockets, and the workers' files where no log
// directory is given.
#pragma once

#include "common/result.hpp"

#include <string>

namespace ddp::os {

// Under XDG_RUNTIME_DIR, else TMPDIR, else /tmp; a place that is not writable, or whose name would
// be too long for a unix socket within, is passed over.
Result<std::string> make_run_dir();

// The same for what may be large: under TMPDIR, else /tmp, and of any length.
Result<std::string> make_scratch_dir();

// With everything in it. Done by whichever of the launcher's two processes ends last; twice does no
// harm.
void remove_run_dir(const std::string& path);

}  // namespace ddp::os

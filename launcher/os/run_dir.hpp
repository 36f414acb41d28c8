// The directories of one launch: its private one (mode 0700), with sockets, and with the workers'
// files where no log directory is given; and the one under --log-dir.
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

// Where a run's files are kept.
struct LogDir {
  std::string path;     // made, and this run's alone; empty: none was asked for or could be made
  std::string taken;    // parent/name, where that was there before; else empty
  std::string failure;  // why none could be made, with the place; else empty
};

// Makes parent/name and what is missing above it; where it exists, the first of parent/name.2,
// parent/name.3 … that does not. mkdir(2) decides, so two launches at once never share one. Without
// a parent nothing is made. With `prepared` parent/name was made for this run and is used as it is.
LogDir make_log_dir(const std::string& parent, const std::string& name, bool prepared = false);

}  // namespace ddp::os

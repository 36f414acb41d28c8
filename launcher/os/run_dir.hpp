// The directories of one launch: a private one (mode 0700) for sockets, and for the workers' files
// where no log directory is given; and the one under --log-dir.
#pragma once

#include "common/result.hpp"

#include <string>

namespace ddp::os {

// How the name of a private directory begins; random letters follow.
inline constexpr const char* kRunDirPrefix = "ddp-launch-";

// Makes a directory under XDG_RUNTIME_DIR, else TMPDIR, else /tmp. A place is skipped when it is
// not writable, or when its path is too long for a unix socket in it.
Result<std::string> make_run_dir();

// Makes a directory for large files: under TMPDIR, else /tmp, with a path of any length.
Result<std::string> make_scratch_dir();

// Removes the directory and everything in it. The last of the launcher's two processes to exit does
// it; a second call does no harm.
void remove_run_dir(const std::string& path);

// Where a run's files are kept.
struct LogDir {
  std::string path;     // the new directory of this run; empty: not asked for, or it failed
  std::string taken;    // parent/name, if that existed already; else empty
  std::string failure;  // the path and why it could not be made; else empty
};

// Makes parent/name and the directories above it that are missing; if parent/name exists, the first
// of parent/name.2, parent/name.3 … that does not. mkdir(2) decides, so two launches never share
// one. An empty `parent` makes nothing. With `prepared`, parent/name was made for this run and is
// used as it is.
LogDir make_log_dir(const std::string& parent, const std::string& name, bool prepared = false);

}  // namespace ddp::os

// A file that appears whole or not at all.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace ddp {

// Writes `text` to a temporary file in the same directory and renames it to `path`, so that no
// reader sees half a file. A link stays a link: the file it points to is replaced. A device or a
// FIFO is written to, never replaced. The file gets `mode`, whatever the umask is; none: 0644 less
// the umask. Returns an empty string, or one line that names the path and the reason.
std::string write_whole_file(const std::string& path, const std::string& text,
                             std::optional<mode_t> mode = std::nullopt);

}  // namespace ddp

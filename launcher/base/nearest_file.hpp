// The file that a user probably meant by a path that does not exist.
#pragma once

#include <string>

namespace ddp {

// The path in the same directory whose name is closest to that of `path`, if one is as close as a
// typo; else empty. Examines at most a few thousand entries; an unreadable directory has none.
std::string nearest_file(const std::string& path);

}  // namespace ddp

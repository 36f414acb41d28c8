// What a file system and a file's first line look like.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ddp::os {

struct Space {
  std::uint64_t size = 0;  // bytes
  std::uint64_t free = 0;  // bytes, for users without privileges
  bool inodes_left = true;
};
// Whether `path` is on one of this machine's disks or in its memory, which always answer. False
// for network file systems, those of a program (FUSE) and kinds unknown here, which may not: for
// such a one this call too waits, so make it when the file system is known to answer.
bool is_local(const std::string& path);

// Of the file system that holds `path`. It may wait where is_local() is false.
std::optional<Space> space_of(const std::string& path);

// Whether the first line of `path`, of which 256 bytes are read, ends in CRLF.
bool first_line_ends_in_crlf(const std::string& path);

}  // namespace ddp::os

// Files that survive a crash: they are written under a temporary name, synced and renamed, and then
// the directory is synced.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddp::worker {

// Replaces the content of `path` with `pieces`, one after another, and waits until the disk has
// them. Returns 0 or an errno.
int write_and_sync(const std::string& path, const std::vector<std::span<const std::byte>>& pieces);

// Writes `pieces`, one after another, to `directory`/`name` and replaces an existing file
// atomically. `temporary` is the name until then, in the same directory. Throws Failure with the
// path and the system's reason (a full disk, a read-only directory), and then leaves no temporary
// file.
void write_durably(const std::string& directory, const std::string& name,
                   const std::string& temporary,
                   const std::vector<std::span<const std::byte>>& pieces);

// Reads the whole file. Returns nullopt and sets `why` where it cannot be read.
std::optional<std::vector<std::byte>> read_whole(const std::string& path, std::string& why);

// Makes renames and removals in `directory` durable. Throws Failure.
void sync_directory(const std::string& directory);

// Creates `directory` and its parents as needed, and checks that files can be made in it. Throws
// Failure with its path.
void prepare_directory(const std::string& directory);

// Removes a file. A missing file is no error; throws Failure for any other.
void remove_file(const std::string& path);

}  // namespace ddp::worker

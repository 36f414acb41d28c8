// Files that survive a crash: written under a temporary name, synced, renamed, the directory
// synced.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddp::worker {

// Writes `pieces` one after another over whatever `path` held, and waits until the disk has them.
// 0, or the errno of what failed.
int write_and_sync(const std::string& path, const std::vector<std::span<const std::byte>>& pieces);

// Writes `pieces` one after another as `directory`/`name`, replacing what was there in one step.
// Throws Failure naming the path and the system's reason (a full disk, a read-only directory); no
// temporary file stays behind then. `temporary` is the name used until then, in the same directory.
void write_durably(const std::string& directory, const std::string& name,
                   const std::string& temporary,
                   const std::vector<std::span<const std::byte>>& pieces);

// The whole file; nullopt and `why` where it cannot be read.
std::optional<std::vector<std::byte>> read_whole(const std::string& path, std::string& why);

// Makes renames and removals in `directory` durable. Throws Failure.
void sync_directory(const std::string& directory);

// Creates `directory` and its parents where needed and checks that files can be made in it. Throws
// Failure naming it.
void prepare_directory(const std::string& directory);

// Removes a file; that it is not there is no error. Throws Failure otherwise.
void remove_file(const std::string& path);

}  // namespace ddp::worker

// Drives the built ddp-launch as a user does, in a new scene: a scratch directory whose tmp/
// and run/ are its TMPDIR and XDG_RUNTIME_DIR, so that what it leaves there is seen.
#pragma once

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ddp::test {

using Words = std::vector<std::string>;

// A sanitizer's runtime wants descriptors, memory and /proc for itself.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// The path of a program under test: the environment's, which may be an installed one, or the
// build's.
std::string path_or(const char* variable, const char* built);
std::string launcher_path();

// ddp-test-helper with these steps (tests/helper/helper.hpp).
Words helper(const Words& steps);

struct Finished {
  Status status;
  std::string out;
  std::string err;
};

// The existing cgroups of launches, or of those of one pid, by inode: the kernel
// does not reuse a number.
std::map<ino_t, std::string> launch_groups(std::optional<int> pid = std::nullopt);

class Scene {
 public:
  Scene() : directory(make_temp_dir()), env(plain_environment(directory.string())) {}
  // Keeps a copy of each events.jsonl below logs/, which events_schema.py reads after the last
  // test, if that is to run (CTest makes the directory).
  ~Scene();
  Scene(Scene&&) = default;
  Scene& operator=(Scene&&) = delete;

  // For a test to change before it starts it.
  Start start(const Words& flags, const Words& command) const;
  Process launch(const Words& flags, const Words& command) const {
    return Process(start(flags, command));
  }
  // Launches, waits for the exit, and checks that nothing is left.
  Finished run(const Words& flags, const Words& command) const;
  // Checks, at once, that a launch that has ended left no process and no file.
  void check_nothing_left(const Process& launch) const;
  void check_no_file_left() const;

  // Makes the scene another user's (as root).
  void give_to(unsigned user) const;

  std::string path(const std::string& name) const { return (directory / name).string(); }

  // Groups that existed before this scene; they belong to no launch of it.
  const std::map<ino_t, std::string> older_groups = launch_groups();
  std::filesystem::path directory;
  std::map<std::string, std::string> env;
};

// Waits for the end and checks that nothing is left.
Finished finish(const Scene& scene, Process& launch);

// The same start by a shell that puts its streams elsewhere first: ">/dev/full 2>&1".
Start redirected(Start start, const std::string& streams);

// The same start as an ordinary user, who owns nothing and has no other process (as root).
inline constexpr unsigned kOtherUser = 64321;
Start as_other_user(Start start);
// Prints a message if not: only root can become that user, who must be able to reach the programs.
bool can_be_other_user();

// Of the lines "[2] text", the texts of each rank in order. A line without a prefix goes to rank
// -1.
std::map<int, Words> by_rank(const std::string& output);
Words lines_of(const std::string& text);
bool contains(const std::string& text, const std::string& part);

// The supervisor of a launch: the one child of the keeper.
int supervisor_pid(const Process& launch);

// Flags that make a group restart at once and however often.
extern const Words kRestartAtOnce;

Words operator+(Words left, const Words& right);

}  // namespace ddp::test

// With processes that have segments mapped or open, in a directory of the test's own below
// /dev/shm.
#include "launcher/os/shared_memory.hpp"

#include "tests/launcher/os/children.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace {

using namespace ddp;
using core::Segment;
using core::SegmentProof;
using os::ScopedFd;
using os::SharedMemoryWatch;

constexpr std::size_t kSize = 64 << 10;

// tmpfs: where /proc/<pid>/maps and stat agree on the device.
class Directory {
 public:
  Directory() {
    std::string name = "/dev/shm/ddp_test_XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Directory(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return path + "/" + name; }
  std::string path;
};

enum class Use { maps, opens, leaves };

// Makes the segment as shm_open does; the descriptor, and for Use::maps a mapping as well.
ScopedFd use_segment(const std::string& path, Use use, mode_t mode = 0600) {
  ScopedFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode));
  if (!fd.valid() || ::ftruncate(fd.get(), kSize) != 0) ::_exit(1);
  void* const memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) ::_exit(1);
  static_cast<char*>(memory)[0] = 1;
  if (use != Use::maps) ::munmap(memory, kSize);
  if (use != Use::opens) fd.reset();
  return fd;
}

// A process that has made a segment; named by its own pid where the name has a {}.
class Rank {
 public:
  Rank(const Directory& directory, std::string name, Use use, mode_t mode = 0600,
       void (*before)() = nullptr) {
    auto ready = test::make_pipe();
    pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      if (before != nullptr) before();
      if (const auto at = name.find("{}"); at != std::string::npos)
        name.replace(at, 2, std::to_string(::getpid()));
      const ScopedFd fd = use_segment(directory.file(name), use, mode);
      const bool written = ::write(ready.write.get(), "r\n", 2) == 2;
      while (written) ::pause();
      ::_exit(1);
    }
    ready.write.reset();
    CHECK(test::read_line(ready.read.get()) == "r");
  }
  Rank(const Rank&) = delete;
  ~Rank() { kill(); }
  void kill() {
    if (!alive_) return;
    alive_ = false;
    CHECK(::kill(pid, SIGKILL) == 0);
    CHECK(::waitpid(pid, nullptr, 0) == pid);
  }
  int pid = -1;

 private:
  bool alive_ = true;
};

std::vector<std::string> names_of(const std::vector<Segment>& found) {
  std::vector<std::string> names;
  for (const auto& one : found) names.push_back(std::filesystem::path(one.path).filename());
  std::sort(names.begin(), names.end());
  return names;
}
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("what a rank had mapped or open when it was inspected belongs to it") {
  for (const Use use : {Use::maps, Use::opens}) {
    const Directory directory;
    SharedMemoryWatch watch(directory.path);
    watch.generation_began();
    Rank rank(directory, "psm_1a2b3c4d", use);
    watch.inspect(rank.pid, 3);
    CHECK(watch.left({}).empty());  // it lives
    rank.kill();
    const auto left = watch.left({});
    REQUIRE(left.size() == 1);
    CHECK(left[0].path == directory.file("psm_1a2b3c4d"));
    CHECK(left[0].bytes == 4096);  // what it has touched
    CHECK(left[0].rank == 3);
    CHECK(left[0].proof == SegmentProof::seen);
    CHECK(left[0].generated_name);
    CHECK(os::remove_shared_memory(left[0]).empty());
    CHECK_FALSE(std::filesystem::exists(left[0].path));
    CHECK(os::remove_shared_memory(left[0]).empty());  // already gone
    CHECK(watch.left({}).empty());
  }
}

TEST_CASE("without an inspection a segment is attributed only if its name has a rank's pid") {
  const Directory directory;
  SharedMemoryWatch watch(directory.path, /*pids_are_unique=*/true);
  watch.generation_began();
  Rank plain(directory, "checkpoint", Use::maps);
  Rank torch(directory, "torch_{}_77_0", Use::leaves);
  Rank stranger(directory, "torch_1_77_0", Use::leaves);
  for (Rank* rank : {&plain, &torch, &stranger}) rank->kill();
  const std::vector<os::RankProcess> workers{{0, plain.pid}, {1, torch.pid}, {2, stranger.pid}};
  auto left = watch.left(workers);
  REQUIRE(left.size() == 3);
  for (const auto& one : left) {
    CAPTURE(one.path);
    const bool by_name = one.path == directory.file("torch_" + std::to_string(torch.pid) + "_77_0");
    CHECK(one.proof == (by_name ? SegmentProof::pid_in_name : SegmentProof::none));
    CHECK(one.rank == (by_name ? std::optional(1) : std::nullopt));
    CHECK(one.generated_name == (one.path != directory.file("checkpoint")));
  }
  // In a separate PID namespace the number proves nothing.
  SharedMemoryWatch inside(directory.path, /*pids_are_unique=*/false);
  inside.generation_began();
  Rank other(directory, "torch_{}_78_0", Use::leaves);
  other.kill();
  left = inside.left({{other.pid, 0}});
  REQUIRE(left.size() == 1);
  CHECK(left[0].proof == SegmentProof::none);
  CHECK_FALSE(left[0].rank);
}

TEST_CASE("an inspected descendant counts for its rank, also by its pid") {
  const Directory directory;
  SharedMemoryWatch watch(directory.path, true);
  watch.generation_began();
  Rank loader(directory, "torch_{}_5_1", Use::leaves);
  watch.inspect(loader.pid, 2);
  loader.kill();
  const auto left = watch.left({{1, 0}});
  REQUIRE(left.size() == 1);
  CHECK(left[0].rank == 2);
  CHECK(left[0].proof == SegmentProof::pid_in_name);
}

TEST_CASE("a file that a living process uses is not left over") {
  const Directory directory;
  SharedMemoryWatch watch(directory.path);
  watch.generation_began();
  Rank rank(directory, "psm_00000001", Use::maps);
  Rank mapping(directory, "psm_00000001", Use::maps);
  watch.inspect(rank.pid, 0);
  rank.kill();
  CHECK(watch.left({}).empty());
  mapping.kill();
  {
    Rank opening(directory, "psm_00000001", Use::opens);
    CHECK(watch.left({}).empty());
  }
  CHECK(names_of(watch.left({})) == Names{"psm_00000001"});
}

TEST_CASE("a file from before the attempt is not claimed, even if a rank used it") {
  const Directory directory;
  { Rank earlier(directory, "old", Use::leaves); }
  SharedMemoryWatch watch(directory.path);
  watch.generation_began();
  Rank rank(directory, "old", Use::maps);
  Rank fresh(directory, "new", Use::maps);
  watch.inspect(rank.pid, 0);
  rank.kill();
  fresh.kill();
  CHECK(names_of(watch.left({})) == Names{"new"});
  // Neither under another name, nor made before and moved here since.
  std::filesystem::rename(directory.file("old"), directory.file("renamed"));
  CHECK(names_of(watch.left({})) == Names{"new"});
  // What one attempt left exists when the next begins.
  watch.generation_began();
  CHECK(watch.left({}).empty());
}

TEST_CASE("a file that is older than the attempt but new in the directory is not claimed") {
  const Directory directory;
  std::filesystem::create_directory(directory.file("sub"));
  { Rank earlier(directory, "sub/old", Use::leaves); }
  // The clock that stamps files goes on in ticks of some milliseconds, and a stamp may be ahead of
  // it by one (multigrain timestamps).
  struct stat before {};
  REQUIRE(::stat(directory.file("sub/old").c_str(), &before) == 0);
  timespec now{};
  const auto is_later = [&] {
    return std::pair(now.tv_sec, now.tv_nsec) >
           std::pair(before.st_ctim.tv_sec, before.st_ctim.tv_nsec);
  };
  do ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  while (!is_later());
  SharedMemoryWatch watch(directory.path);
  watch.generation_began();
  std::filesystem::rename(directory.file("sub/old"), directory.file("psm_0000000a"));
  struct statx info {};
  REQUIRE(::statx(AT_FDCWD, directory.file("psm_0000000a").c_str(), 0, STATX_BTIME, &info) == 0);
  if ((info.stx_mask & STATX_BTIME) == 0) {
    MESSAGE("tmpfs keeps no birth time here (Linux 6.0 and later does): not tested");
    return;
  }
  CHECK(watch.left({}).empty());
}

TEST_CASE("directories, links and other users' files are none of ours") {
  const Directory directory;
  SharedMemoryWatch watch(directory.path);
  watch.generation_began();
  std::filesystem::create_directory(directory.file("directory"));
  std::filesystem::create_symlink("/etc/passwd", directory.file("link"));
  REQUIRE(::mkfifo(directory.file("fifo").c_str(), 0600) == 0);
  { Rank mine(directory, "mine", Use::leaves); }
  Names expected{"mine", "theirs"};
  { Rank theirs(directory, "theirs", Use::leaves); }
  if (::chown(directory.file("theirs").c_str(), 64321, 64321) == 0)
    expected.pop_back();
  else
    MESSAGE("not root: another user's file is not tested");
  CHECK(names_of(watch.left({})) == expected);
}

TEST_CASE("nothing is claimed with too many files or without the directory") {
  const Directory directory;
  SharedMemoryWatch watch(directory.path);
  for (std::size_t i = 0; i <= SharedMemoryWatch::kMostEntries; ++i)
    std::ofstream(directory.file("f" + std::to_string(i)));
  watch.generation_began();
  { Rank rank(directory, "psm_00000001", Use::leaves); }
  CHECK(watch.left({}).empty());

  SharedMemoryWatch nowhere("/nonexistent");
  nowhere.generation_began();
  nowhere.inspect(::getpid(), 0);
  CHECK(nowhere.left({}).empty());
  SharedMemoryWatch never(directory.path);
  CHECK(never.left({}).empty());
}

TEST_CASE(
    "a process that may not be inspected makes it unknown: new and of this user, or another's") {
  if (::geteuid() != 0) {
    MESSAGE("not root: cannot become a user");
    return;
  }
  // A user's launcher, in a separate process: how many files it finds, ten for one that may be
  // used.
  constexpr uid_t kUser = 64321;
  const auto found_by_user = [&](const Directory& directory, mode_t mode, uid_t other, bool older) {
    REQUIRE(::chown(directory.path.c_str(), kUser, kUser) == 0);
    const pid_t user = ::fork();
    REQUIRE(user >= 0);
    if (user == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setresgid(kUser, kUser, kUser) != 0) ::_exit(99);
      auto ready = test::make_pipe();
      SharedMemoryWatch watch(directory.path);
      const auto start_hidden = [&] {
        const pid_t hidden = ::fork();
        if (hidden == 0) {
          // Not dumpable: no process of its user may inspect it.
          if (::setresuid(other, other, other) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0 ||
              ::write(ready.write.get(), "r\n", 2) != 2)
            ::_exit(1);
          while (true) ::pause();
        }
        test::read_line(ready.read.get());
        return hidden;
      };
      pid_t hidden = -1;
      if (older) {
        hidden = start_hidden();
        // Until the clock of starts, in ticks of 10 ms, is two on.
        timespec from{};
        ::clock_gettime(CLOCK_BOOTTIME, &from);
        for (timespec now = from;
             (now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1'000'000 < 40;)
          ::clock_gettime(CLOCK_BOOTTIME, &now);
      }
      // The effective user alone, so that it may still kill what it has started.
      if (::setresuid(static_cast<uid_t>(-1), kUser, static_cast<uid_t>(-1)) != 0) ::_exit(99);
      watch.generation_began();
      if (!older) {
        if (::seteuid(0) != 0) ::_exit(99);
        hidden = start_hidden();
        if (::seteuid(kUser) != 0) ::_exit(99);
      }
      ::umask(0);
      use_segment(directory.file("psm_00000001"), Use::leaves, mode);
      int count = 0;
      for (const auto& segment : watch.left({})) count += segment.maybe_used ? 10 : 1;
      if (::seteuid(0) != 0 || ::kill(hidden, SIGKILL) != 0) ::_exit(99);
      ::waitpid(hidden, nullptr, 0);
      ::_exit(count);
    }
    int status = 0;
    REQUIRE(::waitpid(user, &status, 0) == user);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
  };
  const auto found = [&](mode_t mode, uid_t other, bool older) {
    const Directory directory;
    return found_by_user(directory, mode, other, older);
  };
  CHECK(found(0600, kUser, /*older=*/false) == 0);
  CHECK(found(0600, kUser, /*older=*/true) == 1);
  CHECK(found(0600, kUser + 1, false) == 1);
  CHECK(found(0644, kUser + 1, false) == 10);  // it may use it
  CHECK(found(0644, 0, false) == 1);
}

TEST_CASE("a name that has become another file's is not removed") {
  const Directory directory;
  SharedMemoryWatch watch(directory.path);
  watch.generation_began();
  { Rank rank(directory, "psm_00000001", Use::leaves); }
  const auto left = watch.left({});
  REQUIRE(left.size() == 1);
  { Rank next(directory, "next", Use::leaves); }
  std::filesystem::rename(directory.file("next"), left[0].path);
  CHECK(os::remove_shared_memory(left[0]) == "it is another file by now");
  CHECK(std::filesystem::exists(left[0].path));
}

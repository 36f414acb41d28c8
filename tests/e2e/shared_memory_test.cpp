// Segments that killed ranks leave in /dev/shm are reported, and removed if they are provably
// theirs and no process can search it.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

using namespace ddp::test;

namespace {

// Rank 0 maps a segment and ignores SIGTERM, so that it is killed after rank 1 failed.
constexpr const char* kLeaks = R"(
import mmap, os, signal, sys, time
if os.environ["RANK"] == "1":
    while not os.path.exists(f"up-{os.environ['TORCHELASTIC_RESTART_COUNT']}"):
        time.sleep(0.01)
    sys.exit(3)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
name = sys.argv[1].replace("G", os.environ["TORCHELASTIC_RESTART_COUNT"])
file = os.open("/dev/shm/" + name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
os.ftruncate(file, 1 << 20)
memory = mmap.mmap(file, 1 << 20)
memory[:] = b"x" * (1 << 20)
open(f"up-{os.environ['TORCHELASTIC_RESTART_COUNT']}", "w").close()
time.sleep(9999)
)";

struct Leaks : Scene {
  Leaks() { write_file(path("leaks.py"), kLeaks); }
  ~Leaks() {
    for (const auto& file : files()) std::filesystem::remove(file);
  }
  // A name that no other test uses; G is the attempt.
  static std::string generated() {
    char name[16];
    std::snprintf(name, sizeof name, "psm_%07xG", static_cast<unsigned>(getpid()) & 0xfffffffU);
    return name;
  }
  static std::string chosen() { return "ddp_test_" + std::to_string(getpid()) + "_G"; }
  static std::vector<std::filesystem::path> files() {
    std::vector<std::filesystem::path> found;
    for (const std::string& name : {generated(), chosen()}) {
      const std::string head = name.substr(0, name.size() - 1);
      for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
        if (entry.path().filename().string().starts_with(head)) found.push_back(entry.path());
      }
    }
    return found;
  }
  Finished run_with(const std::string& name, const Words& flags) const {
    return run(Words{"--nproc", "2", "--shutdown-timeout", "100ms"} + flags,
               {"python3", "leaks.py", name});
  }
};

}  // namespace

TEST_CASE("restarts do not fill /dev/shm: segments with generated names are removed") {
  const Leaks scene;
  const auto run = scene.run_with(
      Leaks::generated(),
      Words{"--max-restarts", "3", "--log-dir", "logs", "--run-id", "r"} + kRestartAtOnce);
  CHECK(run.status == Status{.code = 3});
  CHECK(Leaks::files().empty());
  std::size_t removed = 0;
  for (const auto& line : lines_of(run.err))
    removed +=
        line.starts_with("ddp-launch: rank 0 left 1 MiB of shared memory in /dev/shm/psm_") &&
        line.ends_with("; removed");
  CHECK(removed == 4);
  const auto left = events_named(scene.path("logs/r/events.jsonl"), "shared_memory_left");
  REQUIRE(left.size() == 4);
  CHECK(field(left[3], "gen") == "3");
  CHECK(field(left[3], "rank") == "0");
  CHECK(field(left[3], "path").starts_with("/dev/shm/psm_"));
  CHECK(field(left[3], "proof") == "seen");
  CHECK(field(left[3], "removed") == "true");
}

TEST_CASE("segments named by the program are kept and reported by default") {
  const Leaks scene;
  const auto kept = scene.run_with(Leaks::chosen(), {});
  CHECK(contains(kept.err,
                 "; kept, because the program chose its name (--clean-shm all removes it)\n"));
  CHECK(Leaks::files().size() == 1);
  for (const auto& file : Leaks::files()) std::filesystem::remove(file);
  std::filesystem::remove(scene.path("up-0"));
  const auto removed = scene.run_with(Leaks::chosen(), {"--clean-shm", "all"});
  CHECK(contains(removed.err, "; removed\n"));
  CHECK(Leaks::files().empty());
}

TEST_CASE("control: --clean-shm none keeps every segment") {
  const Leaks scene;
  const auto run = scene.run_with(Leaks::generated(), {"--clean-shm", "none"});
  CHECK(contains(run.err, "; kept (--clean-shm none)\n"));
  CHECK(Leaks::files().size() == 1);
}

TEST_CASE("segments of a successful run are kept") {
  const Leaks scene;
  const auto run = scene.run(
      {"--nproc", "1"},
      {"python3", "-c", "open('/dev/shm/" + Leaks::generated() + "', 'w').write('a result')"});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  CHECK(Leaks::files().size() == 1);
}

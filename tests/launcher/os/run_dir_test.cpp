// The directory of a run's files: never one that another run has.
#include "launcher/os/run_dir.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace ddp::os;
using ddp::test::make_temp_dir;
using ddp::test::write_file;

TEST_CASE("the first run with a name gets it, later ones get a number appended") {
  const std::string parent = (make_temp_dir() / "a/b").string();
  const std::string first = parent + "/run";
  const LogDir one = make_log_dir(parent, "run");
  CHECK(one.path == first);
  CHECK(one.taken.empty());
  CHECK(one.failure.empty());
  for (const char* const number : {".2", ".3"}) {
    const LogDir next = make_log_dir(parent, "run");
    CHECK(next.path == first + number);
    CHECK(next.taken == first);
    CHECK(std::filesystem::is_directory(next.path));
  }
  write_file(parent + "/run.4", "");  // anything there is not ours
  CHECK(make_log_dir(parent, "run").path == first + ".5");
  CHECK(make_log_dir(parent, "other").path == parent + "/other");
}

TEST_CASE("runs that start at once get different directories") {
  constexpr int kLaunches = 32;
  const std::string parent = (make_temp_dir() / "logs").string();
  std::vector<std::string> paths(kLaunches);
  std::vector<std::thread> launches;
  for (auto& path : paths) launches.emplace_back([&] { path = make_log_dir(parent, "run").path; });
  for (auto& launch : launches) launch.join();
  const std::set<std::string> different(paths.begin(), paths.end());
  CHECK(different.size() == kLaunches);
  CHECK(different.count(parent + "/run") == 1);
  CHECK(different.count(parent + "/run." + std::to_string(kLaunches)) == 1);
}

TEST_CASE("a prepared directory is used, and made where it is missing") {
  const std::string parent = make_temp_dir().string();
  for (int i = 0; i < 2; ++i) {
    const LogDir made = make_log_dir(parent, "plan", true);
    CHECK(made.path == parent + "/plan");
    CHECK(made.taken.empty());
  }
}

TEST_CASE("a directory that cannot be made is reported with path and reason") {
  const auto directory = make_temp_dir();
  CHECK(make_log_dir("", "run").path.empty());
  CHECK(make_log_dir("", "run").failure.empty());
  const std::string file = (directory / "file").string();
  write_file(file, "");
  for (const bool prepared : {false, true}) {
    const LogDir none = make_log_dir(file, "run", prepared);
    CHECK(none.path.empty());
    CHECK(none.failure == file + ": Not a directory");
  }
  const LogDir none = make_log_dir("/proc", "run");
  CHECK(none.path.empty());
  CHECK(none.failure == "/proc/run: No such file or directory");
}

// Where each rank records its exception: a directory that exists, and nothing of another attempt.
#include "launcher/workers/error_files.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using ddp::ErrorFiles;
using ddp::test::make_temp_dir;
using ddp::test::write_file;
namespace fs = std::filesystem;

TEST_CASE("without a log directory the ranks of an attempt share a private directory") {
  const std::string dir = make_temp_dir().string();
  ErrorFiles files(dir, dir, 2);
  files.begin(0);
  CHECK(files.path(1).empty());
  CHECK(files.place(1) == dir + "/errors_0/1.json");
  CHECK(files.path(1) == dir + "/errors_0/1.json");
  write_file(files.path(1), "{}");

  files.begin(1);
  CHECK(files.path(1).empty());
  CHECK_FALSE(fs::exists(dir + "/errors_0"));  // restarts without end leave no files behind
  CHECK(files.place(1) == dir + "/errors_1/1.json");
  write_file(files.path(1), "{}");
}

TEST_CASE("with a log directory the files are kept in torchrun's layout") {
  const std::string logs = make_temp_dir().string();
  ErrorFiles files(logs, make_temp_dir().string(), 2);
  for (int attempt = 0; attempt < 2; ++attempt) {
    files.begin(attempt);
    for (int rank = 0; rank < 2; ++rank) {
      const std::string path = files.place(rank);
      CHECK(path == logs + "/attempt_" + std::to_string(attempt) + "/" + std::to_string(rank) +
                        "/error.json");
      write_file(path, "{}");
    }
  }
  CHECK(fs::exists(logs + "/attempt_0/1/error.json"));
}

TEST_CASE("a file of another attempt is not taken for the rank's") {
  const std::string logs = make_temp_dir().string();
  const std::string early = logs + "/attempt_0/0/error.json";
  fs::create_directories(fs::path(early).parent_path());
  write_file(early, R"({"message": "stale"})");
  ErrorFiles files(logs, make_temp_dir().string(), 1);
  files.begin(0);
  CHECK(files.place(0) == early);
  CHECK_FALSE(fs::exists(early));
  fs::create_directories(early + "/below");  // what cannot be removed stays, and is not read
  CHECK(files.place(0) == early);
}

TEST_CASE("where the log directory fails the private one is used") {
  const std::string logs = make_temp_dir().string();
  const std::string dir = make_temp_dir().string();
  ErrorFiles files(logs, dir, 1);
  fs::remove_all(logs);
  write_file(logs, "");
  files.begin(0);
  const std::string path = files.place(0);
  CHECK(path == dir + "/errors_0/0.json");
  write_file(path, "{}");
  CHECK(fs::exists(path));
}

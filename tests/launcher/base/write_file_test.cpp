#include "launcher/base/write_file.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace ddp;

TEST_CASE("a file is written whole or not at all") {
  CHECK(write_whole_file("/nonexistent/dir/x.xml", "text") ==
        "/nonexistent/dir/x.xml: No such file or directory");
  const auto dir =
      std::filesystem::temp_directory_path() / ("ddp-write-" + std::to_string(::getpid()));
  std::filesystem::create_directory(dir);
  const std::string path = dir / "x.xml";
  CHECK(write_whole_file(path, "one").empty());
  CHECK(write_whole_file(path, "two").empty());
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  CHECK(text == "two");
  CHECK(std::distance(std::filesystem::directory_iterator(dir), {}) == 1);

  // A link stays a link, a device a device.
  const std::filesystem::path link = dir / "link.xml";
  std::filesystem::create_symlink("x.xml", link);
  CHECK(write_whole_file(link, "three").empty());
  CHECK(std::filesystem::is_symlink(link));
  std::ifstream again(path);
  std::getline(again, text);
  CHECK(text == "three");
  const std::filesystem::path full = dir / "full.xml";
  std::filesystem::create_symlink("/dev/full", full);
  CHECK(write_whole_file(full, "four") == full.string() + ": No space left on device");
  CHECK(std::filesystem::is_character_file("/dev/full"));
  std::filesystem::remove_all(dir);
}

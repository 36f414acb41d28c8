#include "launcher/base/nearest_file.hpp"

#include "launcher/base/edit_distance.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace ddp;

TEST_CASE("the distance counts insertions, deletions, substitutions and swaps") {
  CHECK(edit_distance("train.py", "train.py") == 0);
  CHECK(edit_distance("tran.py", "train.py") == 1);
  CHECK(edit_distance("trian.py", "train.py") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "xyz") == 3);
}

TEST_CASE("the nearest file is one typo away, in the same directory, and no directory") {
  const std::string base = test::make_temp_dir();
  for (const char* const name : {"train.py", "eval.py"}) std::ofstream(base + "/" + name) << "";
  std::filesystem::create_directory(base + "/trains.py");
  CHECK(nearest_file(base + "/trian.py") == base + "/train.py");
  CHECK(nearest_file(base + "/Train.py") == base + "/train.py");
  CHECK(nearest_file(base + "/something.py").empty());
  CHECK(nearest_file("/nonexistent/train.py").empty());
}

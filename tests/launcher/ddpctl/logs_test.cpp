// The last lines of a log file.
#include "launcher/ddpctl/logs.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

using namespace ddp::ctl;
using ddp::test::write_file;
using Lines = std::vector<std::string>;

TEST_CASE("the last lines of a file, whole or not") {
  const auto path = ddp::test::make_temp_dir() / "stdout.log";
  CHECK_FALSE(last_lines(path, 3));
  const std::pair<const char*, Lines> files[] = {
      {"", {}},
      {"one", {"one"}},
      {"one\n", {"one"}},
      {"one\ntwo\nthree\nfour\n", {"two", "three", "four"}},
      {"one\ntwo\nthree\nfour", {"two", "three", "four"}},
      {"\n\n", {"", ""}},
      {"\n", {""}},
  };
  for (const auto& [text, lines] : files) {
    write_file(path, text);
    CAPTURE(text);
    CHECK(last_lines(path, 3) == lines);
    CHECK(last_lines(path, 0) == Lines{});
  }
  // Of a long file the end alone is read.
  write_file(path, std::string(3 << 20, 'x') + "\nlast\n");
  const auto tail = last_lines(path, 5);
  REQUIRE(tail);
  CHECK(tail->back() == "last");
  CHECK(tail->size() == 2);
}

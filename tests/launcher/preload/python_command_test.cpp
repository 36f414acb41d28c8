#include "launcher/preload/python_command.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace ddp;

namespace {

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("the script or module of a Python command is found") {
  const struct {
    Words command;
    PythonCommand expected;
  } cases[] = {
      {{"python3", "train.py"}, {1, 1, false}},
      {{"/usr/bin/python3.11", "-u", "-OO", "train.py", "-m"}, {3, 3, false}},
      {{"python", "-W", "error", "-Xdev", "-uX", "utf8", "t.py"}, {6, 6, false}},
      {{"python3", "-u", "-m", "pkg.mod", "x"}, {3, 2, true}},
      {{"python3", "--", "-odd.py"}, {2, 1, false}},
  };
  for (const auto& [command, expected] : cases) {
    CAPTURE(command.back());
    CHECK(parse_python_command(command) == expected);
  }
}

TEST_CASE("other commands are none") {
  const Words cases[] = {{},
                         {"true"},
                         {"python3"},
                         {"python3", "-c", "pass"},
                         {"python3", "-uc", "pass"},
                         {"python3", "-"},
                         {"python3", "-m"},
                         {"python3", "--version"},
                         {"python3", "-i", "x.py"},
                         {"python2", "x.py"},
                         {"python3.", "x.py"},
                         {"python3-config", "x.py"},
                         {"./train.py"}};
  for (const auto& command : cases) {
    CAPTURE(command.size());
    CHECK_FALSE(parse_python_command(command));
  }
}

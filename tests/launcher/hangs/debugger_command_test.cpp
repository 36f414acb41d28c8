#include "launcher/hangs/debugger_command.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using Commands = std::vector<std::vector<std::string>>;

TEST_CASE("a command of the user's: pid, rank and directory, the rest is the shell's") {
  const HangCommandFor subject{.pid = 12, .rank = 3, .dir = "/logs/it's here"};
  CHECK(hang_commands("dump {pid} {rank} > {dir}/x; echo ${HOME} {}", subject) ==
        Commands{{"/bin/sh", "-c", "dump 12 3 > '/logs/it'\\''s here'/x; echo ${HOME} {}"}});
}

TEST_CASE("a directory that looks like a placeholder is not filled again") {
  CHECK(hang_commands("{dir}", {.pid = 1, .rank = 2, .dir = "{pid}"}) ==
        Commands{{"/bin/sh", "-c", "'{pid}'"}});
}

TEST_CASE("without one: py-spy for Python, else gdb") {
  const auto native = hang_commands("", {.pid = 12});
  REQUIRE(native.size() == 1);
  CHECK(native[0][0] == "gdb");
  const auto python = hang_commands("", {.pid = 12, .python = true});
  REQUIRE(python.size() == 2);
  CHECK(python[0] == std::vector<std::string>{"py-spy", "dump", "--pid", "12"});
  CHECK(python[1] == native[0]);
  CHECK(hang_commands("none", {.pid = 12}).empty());
}

TEST_CASE("of a debugger's output the first thread comes first") {
  CHECK(first_stack("[New LWP 7]\nwarning: x\n\nThread 1 (main):\n#0 a\n[Inferior 1 (process 7) "
                    "detached]\n#1 b\n\nThread 2:\n#0 c\n",
                    3) == std::vector<std::string>{"Thread 1 (main):", "#0 a", "#1 b"});
  CHECK(first_stack("one\n\ntwo\n", 5) == std::vector<std::string>{"one", "two"});
  CHECK(first_stack("", 5).empty());
}

// Which command looks into one process of a hung group. Pure.
#pragma once

#include <string>
#include <vector>

namespace ddp {

struct HangCommandFor {
  int pid = 0;
  int rank = 0;  // global
  std::string dir;
  bool python = false;  // the process is a Python interpreter
};

// What is tried, in this order: the next one where the program of the last is not installed.
// `given` is the value of --on-hang: empty for the default (py-spy for Python, else gdb), "none"
// for nothing. Anything else is for `sh -c`, with {pid}, {rank} and {dir} replaced, the last one
// quoted; other braces are the shell's.
std::vector<std::vector<std::string>> hang_commands(const std::string& given,
                                                    const HangCommandFor& subject);

// The part of a debugger's output that a reader wants first, at most `most` lines: from the first
// thread on, without blank lines and what gdb says about itself.
std::vector<std::string> first_stack(const std::string& output, std::size_t most);

}  // namespace ddp

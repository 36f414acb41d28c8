// Finds the program in a command line of Python: {python3, -u, train.py, …} or {python3, -m, pkg}.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace ddp {

// What the interpreter of a command runs, by place in the command.
struct PythonCommand {
  std::size_t target = 0;       // the script or the module's name; its arguments follow
  std::size_t options_end = 0;  // the interpreter's own options are [1, options_end)
  bool module = false;          // -m

  friend bool operator==(const PythonCommand&, const PythonCommand&) = default;
};

// nullopt: the command does not start with python3 or the like, or runs neither a script nor a
// module (-c, standard input, --version).
std::optional<PythonCommand> parse_python_command(std::span<const std::string> command);

}  // namespace ddp

#include "launcher/preload/python_command.hpp"

#include <algorithm>
#include <string_view>

namespace ddp {
namespace {

// python, python3, python3.11
bool is_python(std::string_view program) {
  program = program.substr(program.rfind('/') + 1);
  if (!program.starts_with("python")) return false;
  program.remove_prefix(6);
  if (program.empty()) return true;
  if (program.front() != '3') return false;
  program.remove_prefix(1);
  if (program.empty()) return true;
  if (program.front() != '.' || program.size() == 1) return false;
  return std::all_of(program.begin() + 1, program.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

constexpr std::string_view kFlags = "bBdEIOPqsSuv";  // options of Python without a value
constexpr std::string_view kWithValue = "WX";

}  // namespace

std::optional<PythonCommand> parse_python_command(std::span<const std::string> command) {
  if (command.empty() || !is_python(command.front())) return std::nullopt;
  for (std::size_t i = 1; i < command.size(); ++i) {
    const std::string_view word = command[i];
    if (word.empty() || word == "-") return std::nullopt;
    if (word.front() != '-') return PythonCommand{.target = i, .options_end = i};
    if (word == "--") {
      if (i + 1 == command.size()) return std::nullopt;
      return PythonCommand{.target = i + 1, .options_end = i};
    }
    if (word == "-m") {
      if (i + 1 == command.size() || command[i + 1].empty()) return std::nullopt;
      return PythonCommand{.target = i + 1, .options_end = i, .module = true};
    }
    const auto other = word.find_first_not_of(kFlags, 1);
    if (other == std::string_view::npos) continue;
    if (kWithValue.find(word[other]) == std::string_view::npos) return std::nullopt;
    if (other + 1 == word.size()) ++i;  // the value is the next word
  }
  return std::nullopt;
}

}  // namespace ddp

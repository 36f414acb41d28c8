#include "launcher/hangs/debugger_command.hpp"

#include "launcher/base/shell_word.hpp"

#include <sstream>
#include <string_view>

namespace ddp {
namespace {

std::string filled(std::string_view command, const HangCommandFor& subject) {
  const std::pair<std::string_view, std::string> places[] = {
      {"{pid}", std::to_string(subject.pid)},
      {"{rank}", std::to_string(subject.rank)},
      {"{dir}", shell_quoted(subject.dir)},
  };
  std::string text;
  while (!command.empty()) {
    bool replaced = false;
    for (const auto& [place, value] : places) {
      if (!command.starts_with(place)) continue;
      text += value;
      command.remove_prefix(place.size());
      replaced = true;
      break;
    }
    if (replaced) continue;
    text += command.front();
    command.remove_prefix(1);
  }
  return text;
}

// What gdb says about itself before and after.
bool is_chatter(std::string_view line) {
  for (const char* start : {"[New LWP ", "[Thread debugging ", "Using host lib", "[Inferior "}) {
    if (line.starts_with(start)) return true;
  }
  return false;
}

}  // namespace

std::vector<std::vector<std::string>> hang_commands(const std::string& given,
                                                    const HangCommandFor& subject) {
  if (given == "none") return {};
  if (!given.empty()) return {{"/bin/sh", "-c", filled(given, subject)}};
  const std::string pid = std::to_string(subject.pid);
  std::vector<std::vector<std::string>> commands;
  if (subject.python) commands.push_back({"py-spy", "dump", "--pid", pid});
  // -nx: a user's own start-up file may do anything.
  commands.push_back(
      {"gdb", "-nx", "-q", "-batch", "-p", pid, "-ex", "thread apply all -ascending bt"});
  return commands;
}

std::vector<std::string> first_stack(const std::string& output, std::size_t most) {
  std::vector<std::string> lines;
  bool thread = false;
  std::istringstream stream(output);
  for (std::string line; std::getline(stream, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos || is_chatter(line)) continue;
    if (!thread && line.starts_with("Thread ")) {
      thread = true;
      lines.clear();
    }
    if (lines.size() < most) lines.push_back(line);
  }
  return lines;
}

}  // namespace ddp

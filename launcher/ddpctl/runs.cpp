#include "launcher/ddpctl/runs.hpp"

#include "common/env_names.hpp"
#include "common/utf8.hpp"
#include "launcher/control/protocol.hpp"
#include "launcher/ddpctl/answer.hpp"
#include "launcher/os/run_dir.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace ddp::ctl {
namespace {

// For all of them together.
constexpr std::chrono::seconds kAnswerTime{2};

std::vector<std::string> sockets_in(const std::vector<std::string>& directories) {
  std::vector<std::string> sockets;
  for (const auto& directory : directories) {
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(directory, failed), end; !failed && entry != end;
         entry.increment(failed)) {
      if (entry->path().filename().string().starts_with(os::kRunDirPrefix))
        sockets.push_back(entry->path().string() + "/" + control::kSocketName);
    }
  }
  return sockets;
}

// Where os::make_run_dir() makes them.
std::vector<std::string> run_directories() {
  std::vector<std::string> directories;
  const auto add = [&](std::string directory) {
    std::error_code failed;
    const auto same = [&](const std::string& other) {
      return std::filesystem::equivalent(other, directory, failed);
    };
    if (std::none_of(directories.begin(), directories.end(), same))
      directories.push_back(std::move(directory));
  };
  for (const char* variable : {env::kXdgRuntimeDir, env::kTmpDir}) {
    const char* const value = std::getenv(variable);
    if (value != nullptr && *value == '/') add(value);
  }
  add("/tmp");
  return directories;
}

std::optional<Run> read_run(const std::string& socket, const std::string& line) {
  const auto answer = Answer::parse(line);
  if (!answer || !answer->has("run_id")) return std::nullopt;
  const auto number = [&](const char* name) { return answer->number(name).value_or(0); };
  return Run{.socket = socket,
             .run_id = answer->text("run_id"),
             .pid = static_cast<int>(number("pid")),
             .age = std::chrono::nanoseconds(number("age_ns")),
             .state = answer->text("state"),
             .generation = static_cast<int>(number("generation")),
             .first_rank = static_cast<int>(number("first_rank")),
             .nproc = static_cast<int>(number("nproc")),
             .world_size = static_cast<int>(number("world_size")),
             .command = answer->texts("command"),
             .log_dir = answer->raw_text("log_dir")};
}

std::string name_of(const Run& run) {
  return run.run_id + " (pid " + std::to_string(run.pid) + ")";
}

std::string names_of(const std::vector<const Run*>& runs) {
  std::string text;
  for (const auto* run : runs) text += (text.empty() ? "" : ", ") + name_of(*run);
  return text;
}

}  // namespace

Found find_runs(const std::string& dir) {
  const auto deadline = Clock::now() + kAnswerTime;
  std::vector<std::pair<std::string, Link>> asked;
  for (const auto& socket :
       sockets_in(dir.empty() ? run_directories() : std::vector<std::string>{dir})) {
    auto link = Link::open(socket, deadline);
    if (link && link->send(control::request_line({}), deadline))
      asked.emplace_back(socket, std::move(*link));
  }
  Found found;
  for (auto& [socket, link] : asked) {
    const auto answer = link.line(deadline);
    auto run = answer ? read_run(socket, *answer) : std::nullopt;
    if (run) {
      found.runs.push_back(std::move(*run));
    } else if (!link.ended()) {
      found.silent.push_back(socket);
    }
  }
  std::sort(found.runs.begin(), found.runs.end(),
            [](const Run& a, const Run& b) { return a.age > b.age; });
  return found;
}

std::variant<Run, NoRun> choose_run(const Found& found, const std::string& id) {
  std::vector<const Run*> all;
  std::vector<const Run*> chosen;
  for (const auto& run : found.runs) {
    all.push_back(&run);
    if (id.empty() || run.run_id == id) chosen.push_back(&run);
  }
  if (chosen.empty()) {
    for (const auto& run : found.runs) {
      if (std::to_string(run.pid) == id) chosen.push_back(&run);
    }
  }
  if (chosen.size() == 1) return *chosen.front();
  if (all.empty()) {
    return NoRun{found.silent.empty() ? "no run of ddp-launch was found"
                                      : "no run of ddp-launch answers: " + found.silent.front()};
  }
  if (chosen.empty())
    return NoRun{"no run is named '" + without_controls(as_utf8(id)) + "': running " +
                 (all.size() == 1 ? "is " : "are ") + names_of(all)};
  return NoRun{(id.empty() ? "several runs: " : "several runs have this name: ") +
                   names_of(chosen) + "; choose one with --run " + (id.empty() ? "ID" : "PID"),
               2};
}

}  // namespace ddp::ctl

#include "tests/e2e/launch.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace ddp::test {

std::string path_or(const char* variable, const char* built) {
  const char* const path = std::getenv(variable);
  return path != nullptr ? path : built;
}

namespace {

const char* const kGroupRoots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
const std::string kGroupPrefix = "/ddp-launch.";

}  // namespace

std::map<ino_t, std::string> launch_groups(std::optional<int> pid) {
  std::map<ino_t, std::string> groups;
  for (const char* root : kGroupRoots) {
    const std::string prefix = root + kGroupPrefix + (pid ? std::to_string(*pid) + "." : "");
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(root, none)) {
      const std::string path = entry.path().string();
      struct stat info {};
      if (path.starts_with(prefix) && stat(path.c_str(), &info) == 0) groups[info.st_ino] = path;
    }
  }
  return groups;
}

const Words kRestartAtOnce{"--backoff", "0", "--crash-loop", "0"};

std::string launcher_path() { return path_or("DDP_TEST_LAUNCH", DDP_LAUNCH); }

Words helper(const Words& steps) { return Words{DDP_TEST_HELPER} + steps; }

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Start Scene::start(const Words& flags, const Words& command) const {
  Start start;
  start.argv = Words{launcher_path()} + flags;
  if (!command.empty()) start.argv = start.argv + Words{"--"} + command;
  start.env = env;
  start.directory = directory.string();
  return start;
}

Scene::~Scene() {
  static int kept = 0;
  // The directory of a scene that was moved is the other's.
  if (directory.empty() || !std::filesystem::is_directory(DDP_TEST_EVENTS)) return;
  std::error_code failed;  // a run that left nothing, or a test that made it unreadable
  const std::filesystem::path logs = directory / "logs";
  using std::filesystem::directory_options;
  for (std::filesystem::recursive_directory_iterator
           entry(logs, directory_options::skip_permission_denied, failed),
       end;
       !failed && entry != end; entry.increment(failed)) {
    std::error_code gone;
    if (entry->path().filename() != "events.jsonl" || !entry->is_regular_file(gone)) continue;
    const auto copy = std::to_string(getpid()) + "-" + std::to_string(++kept) + ".jsonl";
    std::filesystem::copy_file(entry->path(), std::filesystem::path(DDP_TEST_EVENTS) / copy, gone);
  }
}

Start redirected(Start start, const std::string& streams) {
  start.argv = Words{"/bin/sh", "-c", "exec \"$@\" " + streams, "sh"} + start.argv;
  return start;
}

Finished Scene::run(const Words& flags, const Words& command) const {
  Process launch = this->launch(flags, command);
  return finish(*this, launch);
}

void Scene::give_to(unsigned user) const {
  std::filesystem::permissions(directory, std::filesystem::perms::others_exec,
                               std::filesystem::perm_options::add);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (chown(entry.path().c_str(), user, user) != 0) throw std::runtime_error("chown");
  }
  if (chown(directory.c_str(), user, user) != 0) throw std::runtime_error("chown");
}

Start as_other_user(Start start) {
  const std::string id = std::to_string(kOtherUser);
  start.argv = Words{"setpriv", "--reuid", id, "--regid", id, "--clear-groups"} + start.argv;
  return start;
}

bool can_be_other_user() {
  if (geteuid() == 0) {
    Process tried(
        as_other_user({.argv = {"test", "-x", launcher_path(), "-a", "-x", DDP_TEST_HELPER},
                       .env = {{"PATH", "/usr/bin:/bin"}}}));
    if (tried.wait() == Status{.code = 0}) return true;
  }
  MESSAGE("an ordinary user cannot be played here");
  return false;
}

Finished finish(const Scene& scene, Process& launch) {
  const Status status = launch.wait();
  scene.check_nothing_left(launch);
  return {status, launch.out(), launch.err()};
}

void Scene::check_nothing_left(const Process& launch) const {
  const std::string left = describe(launch.below());
  CHECK(left == "");
  check_no_file_left();
  for (const auto& [inode, group] : launch_groups(launch.pid())) {
    // An older one was left by a launch of the same pid that was killed completely.
    CHECK_MESSAGE(older_groups.count(inode) == 1, "left behind: " << group);
  }
}

void Scene::check_no_file_left() const {
  for (const char* name : {"tmp", "run"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / name)) {
      const std::string left = entry.path().string();
      CHECK_MESSAGE(false, "left behind: " << left);
    }
  }
}

Words lines_of(const std::string& text) {
  Words lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::map<int, Words> by_rank(const std::string& output) {
  std::map<int, Words> ranks;
  for (const auto& line : lines_of(output)) {
    const auto end = line.find(']');
    const auto number = line.find_first_of("0123456789");
    if (line[0] != '[' || end == std::string::npos || number > end) {
      ranks[-1].push_back(line);
      continue;
    }
    const auto text = end + 1 < line.size() && line[end + 1] == ' ' ? end + 2 : end + 1;
    ranks[std::stoi(line.substr(number, end - number))].push_back(line.substr(text));
  }
  return ranks;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

int supervisor_pid(const Process& launch) {
  for (const auto& process : descendants(launch.pid())) {
    if (process.parent == launch.pid()) return process.pid;
  }
  throw std::runtime_error("the launch has no supervisor:" + describe(descendants(getpid())));
}

}  // namespace ddp::test

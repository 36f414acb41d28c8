#include "tests/worker/program.hpp"

#include "common/env_names.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

extern char** environ;

namespace ddp::test {
namespace {

const char* const kLauncherVariables[] = {
    env::kRank,         env::kLocalRank,    env::kWorldSize,    env::kLocalWorldSize,
    env::kMasterAddr,   env::kMasterPort,   env::kRestartCount, env::kRunId,
    env::kNotifySocket, env::kWatchdogUsec, env::kWatchdogPid,  env::kDdpFaults};

std::vector<std::string> child_environment(const Environment& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const bool launchers = std::any_of(std::begin(kLauncherVariables), std::end(kLauncherVariables),
                                       [&](const char* v) { return name == v; });
    if (!launchers && !added.contains(name)) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Folder::Folder() {
  path_ = (std::filesystem::temp_directory_path() / "ddp-worker-XXXXXX").string();
  REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::write(const std::string& name, const std::string& text) const {
  std::ofstream(at(name), std::ios::binary) << text;
  return at(name);
}

Process::Process(const std::vector<std::string>& arguments, const Environment& environment,
                 const std::string& program) {
  int out[2];
  int err[2];
  REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(err, O_CLOEXEC) == 0);
  std::vector<std::string> argv{program};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::vector<std::string> envp = child_environment(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  const int error = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, pointers(argv).data(),
                                  pointers(envp).data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  ::close(err[1]);
  out_fd_ = out[0];
  err_fd_ = err[0];
  REQUIRE(error == 0);
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  REQUIRE(pidfd_ >= 0);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      out_fd_(std::exchange(other.out_fd_, -1)),
      err_fd_(std::exchange(other.err_fd_, -1)),
      ended_(std::move(other.ended_)) {}

Process::~Process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {pidfd_, out_fd_, err_fd_})
    if (fd >= 0) ::close(fd);
}

void Process::signal(int number) const {
  REQUIRE(pid_ > 0);
  REQUIRE(::kill(pid_, number) == 0);
}

// Reads what is there or waits for more; false when both pipes have ended.
bool Process::read_some(std::chrono::steady_clock::time_point deadline) {
  pollfd polls[] = {{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}};
  if (out_fd_ < 0 && err_fd_ < 0) return false;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  const int ready = ::poll(polls, 2, static_cast<int>(std::max<std::int64_t>(0, left.count())));
  if (ready < 0) {
    REQUIRE(errno == EINTR);
    return true;
  }
  INFO("stdout so far: ", ended_.out);
  INFO("stderr so far: ", ended_.err);
  if (ready == 0) FAIL("the worker took too long");
  const auto drain = [](const pollfd& p, int& fd, std::string& into) {
    if (p.revents == 0) return;
    char buffer[65536];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got > 0) {
      into.append(buffer, static_cast<std::size_t>(got));
    } else if (got == 0) {
      ::close(fd);
      fd = -1;
    }
  };
  drain(polls[0], out_fd_, ended_.out);
  drain(polls[1], err_fd_, ended_.err);
  return true;
}

void Process::wait_for_output(const std::string& text) {
  wait_until([&](const std::string& out) { return out.find(text) != std::string::npos; });
}

void Process::wait_until(const std::function<bool(const std::string& out)>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds(ended_.out)) {
    INFO("stderr: ", ended_.err);
    REQUIRE(read_some(deadline));
  }
}

Ended Process::wait(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (read_some(deadline)) {
  }
  pollfd gone{pidfd_, POLLIN, 0};
  REQUIRE(::poll(&gone, 1, 10000) == 1);
  int status = 0;
  REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  ended_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return std::move(ended_);
}

Environment rank_environment(int rank, int world, const ReservedPort& port) {
  return {{env::kRank, std::to_string(rank)},
          {env::kLocalRank, std::to_string(rank)},
          {env::kWorldSize, std::to_string(world)},
          {env::kLocalWorldSize, std::to_string(world)},
          {env::kMasterAddr, "127.0.0.1"},
          {env::kMasterPort, std::to_string(port.number())},
          {env::kOmpNumThreads, "1"}};
}

std::vector<Ended> run_world(int world, const std::vector<std::string>& arguments,
                             const Environment& more) {
  const ReservedPort port;
  std::vector<Process> ranks;
  for (int rank = 0; rank < world; ++rank) {
    Environment environment = rank_environment(rank, world, port);
    for (const auto& [name, value] : more) environment[name] = value;
    ranks.emplace_back(arguments, environment);
  }
  std::vector<Ended> ended;
  for (Process& rank : ranks) ended.push_back(rank.wait());
  return ended;
}

std::size_t occurrences(const std::string& all, const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1))
    ++count;
  return count;
}

std::string sample_text(std::size_t bytes) {
  const char* const words[] = {"the rank ", "was reduced ", "by gloo ", "and then ",
                               "a step ",   "began.\n",     "of four "};
  std::string text;
  std::uint64_t state = 1;
  while (text.size() < bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    text += words[(state >> 33) % std::size(words)];
  }
  text.resize(bytes);
  return text;
}

std::vector<std::string> json_values(const std::string& output, const std::string& event,
                                     const std::string& key) {
  std::vector<std::string> values;
  std::size_t begin = 0;
  while (begin < output.size()) {
    const std::size_t end = std::min(output.find('\n', begin), output.size());
    const std::string line = output.substr(begin, end - begin);
    begin = end + 1;
    if (line.find("\"event\":\"" + event + "\"") == std::string::npos) continue;
    const std::string name = "\"" + key + "\":";
    const std::size_t at = line.find(name);
    REQUIRE(at != std::string::npos);
    std::string value = line.substr(at + name.size());
    if (value.starts_with('"')) {
      value = value.substr(1, value.find('"', 1) - 1);
    } else {
      value = value.substr(0, value.find_first_of(",}"));
    }
    values.push_back(value);
  }
  return values;
}

}  // namespace ddp::test

#include "launcher/os/resolve.hpp"

#include "launcher/os/fd.hpp"
#include "launcher/os/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sstream>
#include <variant>

namespace ddp::os {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Answer = Lookup::Answer;

constexpr std::size_t kMostOutput = 65536;
constexpr milliseconds kKillLimit{1000};
constexpr int kNoSuchName = 2;  // getent(1): "one or more supplied key could not be found"

enum class Woken { ready, stopped, late };

// Waits until `fd` is readable or closed, or a stop request is pending.
Woken wait_for(int fd, int stop_requests, Clock::time_point deadline) {
  pollfd polls[] = {{fd, POLLIN, 0}, {stop_requests, POLLIN, 0}};  // poll passes -1 over
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    const int ready = ::poll(polls, 2, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Woken::late;
    return polls[0].revents != 0 ? Woken::ready : Woken::stopped;
  }
}

ScopedFd open_stop_requests() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  return ScopedFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Reaps a child that has exited and returns its exit code. nullopt where it has not exited, or was
// killed.
std::optional<int> exit_code(const Child& child) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED | WNOHANG) == -1) {
    if (errno != EINTR) return std::nullopt;
  }
  if (info.si_pid == 0 || info.si_code != CLD_EXITED) return std::nullopt;
  return info.si_status;
}

// The first word of each line, once.
std::vector<std::string> addresses_in(const std::string& text) {
  std::vector<std::string> addresses;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto address = line.substr(0, line.find_first_of(" \t"));
    if (!address.empty() &&
        std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

Lookup look_up(const std::string& name, const LookupConfig& config) {
  const auto deadline = Clock::now() + config.limit;
  const ScopedFd stop_requests = open_stop_requests();
  const ScopedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int ends[2];
  if (!null.valid() || ::pipe2(ends, O_CLOEXEC) != 0) return {};
  const ScopedFd out(ends[0]);
  ScopedFd into(ends[1]);
  SpawnRequest request;
  request.program = config.getent;
  request.arguments = {"ahosts", name};
  for (char** variable = environ; *variable != nullptr; ++variable)
    request.environment.emplace_back(*variable);
  request.stdin_fd = null.get();
  request.stdout_fd = into.get();
  request.stderr_fd = null.get();
  auto spawned = Spawner().spawn(request);
  into.reset();
  const auto* const child = std::get_if<Child>(&spawned);
  if (child == nullptr) return {};

  std::string text;
  Woken woken = Woken::ready;
  for (bool ended = false; !ended && text.size() < kMostOutput;) {
    woken = wait_for(out.get(), stop_requests.get(), deadline);
    if (woken != Woken::ready) break;
    char buffer[4096];
    const ssize_t count = ::read(out.get(), buffer, sizeof buffer);
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
    ended = count == 0 || (count < 0 && errno != EINTR);
  }
  if (woken == Woken::ready) woken = wait_for(child->pidfd.get(), stop_requests.get(), deadline);
  if (woken != Woken::ready) {
    ::kill(child->pid, SIGKILL);
    // A child that does not exit even so is left to the keeper, which kills all processes below it.
    wait_for(child->pidfd.get(), -1, Clock::now() + kKillLimit);
  }
  const auto code = exit_code(*child);
  if (woken == Woken::stopped) return {};
  const auto seconds = [](milliseconds time) {
    std::ostringstream words;
    words << static_cast<double>(time.count()) / 1000 << " s";
    return words.str();
  };
  if (woken == Woken::late)
    return {.answer = Answer::no_answer, .why = "no answer in " + seconds(config.limit)};
  if (code == 0) return {.answer = Answer::found, .addresses = addresses_in(text)};
  if (code != kNoSuchName) return {};
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  if (any_answers(config.name_servers ? *config.name_servers : name_servers(), name, left))
    return {Answer::not_found};
  return {.answer = Answer::no_answer, .why = "no name server answers"};
}

}  // namespace ddp::os

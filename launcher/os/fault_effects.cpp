#include "launcher/os/fault_effects.hpp"

#include "common/parse.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace ddp::os {
namespace {

using fault::Kind;

std::string reason() { return std::strerror(errno); }

std::string proc(int pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

// The numeric names in a directory of /proc, without entries that vanish meanwhile.
std::vector<int> numbers_in(const std::string& directory) {
  std::vector<int> numbers;
  std::error_code failed;
  for (std::filesystem::directory_iterator it(directory, failed), end; !failed && it != end;
       it.increment(failed)) {
    const auto number = parse_integer("", it->path().filename().string(), 0, 1 << 30);
    if (number) numbers.push_back(static_cast<int>(*number));
  }
  return numbers;
}

// How much of the resource the process uses now, in the limit's unit. 0 where /proc does not show
// it.
rlim_t in_use(Kind kind, int pid) {
  if (kind == Kind::memory) {
    rlim_t pages = 0;
    std::ifstream(proc(pid, "statm")) >> pages;
    return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
  }
  if (kind == Kind::open_files) {
    // RLIMIT_NOFILE is one more than the highest number, not a count.
    const auto open = numbers_in(proc(pid, "fd"));
    return open.empty() ? 0 : static_cast<rlim_t>(*std::max_element(open.begin(), open.end())) + 1;
  }
  // cpu-time: utime and stime, the 14th and 15th field of stat; the 2nd may hold blanks and ')'.
  std::ifstream file(proc(pid, "stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto after = text.rfind(')');
  if (after == std::string::npos) return 0;
  std::istringstream fields(text.substr(after + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  rlim_t user = 0;
  rlim_t system = 0;
  fields >> user >> system;
  const auto hertz = static_cast<rlim_t>(::sysconf(_SC_CLK_TCK));
  return (user + system + hertz - 1) / hertz;
}

// Repeats until a round finds no new thread: a new thread inherits its affinity from the thread
// that made it, which may not have been set yet. Bounded, because a program may make threads
// without end.
void set_threads(int pid, const cpu_set_t& cores) {
  std::vector<int> seen;
  for (int round = 0; round < 10; ++round) {
    auto threads = numbers_in(proc(pid, "task"));
    std::sort(threads.begin(), threads.end());
    if (threads == seen) return;
    for (const int thread : threads) ::sched_setaffinity(thread, sizeof cores, &cores);
    seen = std::move(threads);
  }
}

}  // namespace

std::string FaultEffects::apply(Kind kind, const fault::Value& value, int pid) {
  if (pid <= 1) return "no process";
  const auto amount = [&] {
    const auto& wanted = std::get<fault::Amount>(value);
    return static_cast<rlim_t>(wanted.number) + (wanted.relative ? in_use(kind, pid) : 0);
  };
  switch (kind) {
    case Kind::kill:
      return ::kill(pid, SIGKILL) == 0 ? "" : reason();
    case Kind::signal:
      return ::kill(pid, static_cast<int>(std::get<std::int64_t>(value))) == 0 ? "" : reason();
    case Kind::memory:
      return limit(kind, RLIMIT_AS, amount(), pid);
    case Kind::file_size:
      return limit(kind, RLIMIT_FSIZE, amount(), pid);
    case Kind::open_files:
      return limit(kind, RLIMIT_NOFILE, amount(), pid);
    case Kind::cpu_time:
      return limit(kind, RLIMIT_CPU, amount(), pid);
    case Kind::pin:
      return pin(static_cast<int>(std::get<std::int64_t>(value)), pid);
    default:
      return "not a fault that is applied to a process";
  }
}

std::string FaultEffects::limit(Kind kind, int resource, rlim_t soft, int pid) {
  const auto which = static_cast<__rlimit_resource>(resource);
  rlimit before{};
  if (::prlimit(pid, which, nullptr, &before) != 0) return reason();
  // A fault must lower the limit: the comparison is with the original, not with what a fault of the
  // same kind has set.
  const auto first = limits_.find({pid, kind});
  const rlim_t own = first != limits_.end() ? first->second.rlim_cur : before.rlim_cur;
  if (soft >= own) return "its own limit is " + std::to_string(own) + " already";
  // The soft limit only: raising the hard limit again would need a privilege.
  const rlimit after{soft, before.rlim_max};
  if (::prlimit(pid, which, &after, nullptr) != 0) return reason();
  limits_.emplace(Key{pid, kind}, before);  // emplace keeps the first, which is the original
  return {};
}

std::string FaultEffects::pin(int core, int pid) {
  cpu_set_t before;
  CPU_ZERO(&before);
  if (::sched_getaffinity(pid, sizeof before, &before) != 0) return reason();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(core), &one);
  if (::sched_setaffinity(pid, sizeof one, &one) != 0) {
    return errno == EINVAL ? "there is no core " + std::to_string(core) + " for this process"
                           : reason();
  }
  set_threads(pid, one);
  affinity_.emplace(Key{pid, Kind::pin}, before);
  return {};
}

void FaultEffects::undo(Kind kind, int pid) {
  if (const auto found = limits_.find({pid, kind}); found != limits_.end()) {
    const int resource = kind == Kind::memory       ? RLIMIT_AS
                         : kind == Kind::file_size  ? RLIMIT_FSIZE
                         : kind == Kind::open_files ? RLIMIT_NOFILE
                                                    : RLIMIT_CPU;
    // Fails if the process is gone: then there is nothing to undo.
    ::prlimit(pid, static_cast<__rlimit_resource>(resource), &found->second, nullptr);
    limits_.erase(found);
  }
  if (const auto found = affinity_.find({pid, kind}); found != affinity_.end()) {
    set_threads(pid, found->second);
    affinity_.erase(found);
  }
}

void FaultEffects::forget(int pid) {
  std::erase_if(limits_, [pid](const auto& entry) { return entry.first.first == pid; });
  std::erase_if(affinity_, [pid](const auto& entry) { return entry.first.first == pid; });
}

Result<ScopedFd> occupy_port(std::uint16_t port) {
  const auto refused = [&] {
    return Error{"port " + std::to_string(port) + " could not be taken: " + reason()};
  };
  // With SO_REUSEADDR, because the launcher's reservation may be a socket bound to the port;
  // listening is what keeps others out.
  const int on = 1;
  const int off = 0;
  ScopedFd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.valid() &&
      ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(socket.get(), 1) == 0)
      return socket;
    return refused();
  }
  socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (socket.valid() && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(socket.get(), 1) == 0)
    return socket;
  return refused();
}

}  // namespace ddp::os

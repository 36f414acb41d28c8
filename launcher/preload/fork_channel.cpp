#include "launcher/preload/fork_channel.hpp"

#include "common/join.hpp"
#include "common/write_all.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/mechanism.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {
namespace {

using Clock = std::chrono::steady_clock;

core::SpawnError setup_error() { return {core::SpawnStage::setup, errno}; }

// Command and environment, each string with its NUL. Of any size, which a packet is not.
os::ScopedFd memory_of(const os::SpawnRequest& request) {
  os::ScopedFd file(::memfd_create("ddp-rank", MFD_CLOEXEC));
  if (!file.valid()) return {};
  std::string text = request.program + '\0';
  for (const auto& word : request.arguments) text.append(word).append(1, '\0');
  for (const auto& entry : request.environment) text.append(entry).append(1, '\0');
  if (!write_all(file.get(), text)) return {};
  return file;
}

// "0,2,5"; "-" where there is none.
std::string list_of(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) append_item(text, std::to_string(number), ",");
  return text.empty() ? "-" : text;
}

bool send_request(int control, std::string_view text, const std::vector<int>& fds) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> buffer{};
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = buffer.data();
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(control, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent == -1 && errno == EINTR);
  return sent == static_cast<ssize_t>(text.size());
}

bool readable(int fd, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd waited{fd, POLLIN, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready == 1) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// The pid comes from a process that runs the user's modules: it counts only if it is a child of
// this one.
os::ScopedFd open_child(int pid) {
  if (pid <= 1) return {};
  os::ScopedFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  siginfo_t info{};
  if (!pidfd.valid() ||
      ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG | WNOWAIT) == -1)
    return {};
  return pidfd;
}

}  // namespace

std::variant<os::Child, core::SpawnError, ForkLost> fork_through(int control,
                                                                 const os::SpawnRequest& request,
                                                                 std::size_t target, bool module,
                                                                 std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1) return setup_error();
  const os::ScopedFd channel(ends[0]);
  os::ScopedFd ranks_end(ends[1]);
  const os::ScopedFd memory = memory_of(request);
  if (!memory.valid()) return setup_error();
  os::ScopedFd cgroup;
  if (request.cgroup_fd >= 0)
    cgroup = os::ScopedFd(::openat(request.cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC));

  std::vector<int> fds{ranks_end.get(), memory.get(), request.stdin_fd, request.stdout_fd,
                       request.stderr_fd};
  if (cgroup.valid()) fds.push_back(cgroup.get());
  std::string text = std::to_string(::getpid());
  for (const std::size_t number :
       {std::size_t{request.traceable}, std::size_t{!os::is_off(os::Mechanism::death_signal)},
        request.arguments.size() + 1, target, std::size_t{module}})
    text += " " + std::to_string(number);
  text += " " + std::to_string(SYS_set_mempolicy) + " " + list_of(request.cpus) + " " +
          list_of(request.memory_nodes);
  if (!send_request(control, text, fds))
    return ForkLost{std::string("it does not take a request: ") + std::strerror(errno)};
  ranks_end.reset();  // or its last copy would be here, and no end of it seen

  if (!readable(channel.get(), deadline))
    return ForkLost{"it did not fork within " + std::to_string(limit.count()) + " ms"};
  std::array<std::int32_t, 2> answer{};
  const ssize_t size = ::recv(channel.get(), answer.data(), sizeof answer, MSG_DONTWAIT);
  if (size != sizeof answer) return ForkLost{"it ended during a fork"};
  const auto [kind, number] = answer;
  if (kind == 1) return core::SpawnError{core::SpawnStage::fork, number};
  if (kind == 2) return core::SpawnError{core::SpawnStage::setup, number};
  os::ScopedFd pidfd = open_child(number);
  if (kind != 0 || !pidfd.valid()) return ForkLost{"its answer is not a child of ddp-launch"};
  // A rank that was killed meanwhile does not read it; its watcher reports that.
  [[maybe_unused]] const ssize_t sent = ::send(channel.get(), "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  return os::Child{number, std::move(pidfd)};
}

}  // namespace ddp

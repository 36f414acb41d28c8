// The steps of ddp-test-helper that wait, and those for processes, signals and sockets.
#include "tests/helper/helper.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

namespace ddp::helper {
namespace {

int ready_pipe = -1;  // of a child whose parent waits in fork_child
std::map<int, std::vector<std::string>>& lists() {
  static std::map<int, std::vector<std::string>> by_signal;
  return by_signal;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

void wait_for_files(const std::vector<std::string>& paths) {
  ready();
  const int events = inotify_init1(IN_CLOEXEC);
  if (events < 0) die_errno("inotify");
  for (const auto& path : paths) {
    // Watch first, then check: a file that appears in between is an event.
    if (inotify_add_watch(events, directory_of(path).c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
      die_errno("watch " + directory_of(path));
    }
  }
  for (const auto& path : paths) {
    while (access(path.c_str(), F_OK) != 0) {
      std::array<char, 4096> news;
      if (read(events, news.data(), news.size()) < 0 && errno != EINTR) die_errno("inotify");
    }
  }
  close(events);
}

void barrier(const std::string& directory) {
  const auto generation = environment("TORCHELASTIC_RESTART_COUNT");
  std::vector<std::string> files;
  for (int rank = 0; rank < std::atoi(environment("WORLD_SIZE").c_str()); ++rank) {
    files.push_back(directory + "/barrier." + generation + "." + std::to_string(rank));
  }
  const auto mine = directory + "/barrier." + generation + "." + environment("RANK");
  const int fd = open(mine.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) die_errno(mine);
  close(fd);
  wait_for_files(files);
}

namespace {

// One datagram to NOTIFY_SOCKET, with the descriptor `attached` unless it is -1.
void send_notification(const std::string& message, int attached) {
  const auto name = environment("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) die("NOTIFY_SOCKET is too long");
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die_errno("socket");
  iovec data{const_cast<char*>(message.data()), message.size()};  // sendmsg only reads it
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = size;
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (attached >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &attached, sizeof attached);
  }
  while (sendmsg(fd, &header, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) die_errno("send to " + name);
  }
  close(fd);
}

}  // namespace

// Real, effective and saved.
void set_ids(unsigned id) {
  if (setgroups(0, nullptr) != 0 && geteuid() == 0) die_errno("setgroups");
  if (setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) die_errno("setresuid");
}

void notify(const std::string& message) { send_notification(message, -1); }

void sync() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) die_errno("pipe");
  send_notification("BARRIER=1", ends[1]);
  close(ends[1]);
  char end = 0;
  while (read(ends[0], &end, 1) < 0 && errno == EINTR) {
  }
  close(ends[0]);
}

void step(long number) {
  notify("X_DDP_STEP=" + std::to_string(number));
  sync();
}

void listen_master(bool reuse) {
  const auto host = environment("MASTER_ADDR");
  const auto port =
      htons(static_cast<std::uint16_t>(std::atoi(environment("MASTER_PORT").c_str())));
  sockaddr_storage address{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = port;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = port;
  } else {
    die("MASTER_ADDR is no address");
  }
  // Left open for the life of the process, like a rendezvous server.
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = reuse ? 1 : 0;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 8) != 0) {
    die_errno("listen at MASTER_PORT");
  }
}

void copy_stdin(bool show) {
  ready();
  std::array<char, 65536> chunk;
  while (true) {
    const auto got = read(0, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) die_errno("stdin");
    if (got == 0) return;
    if (show) write_all(1, {chunk.data(), static_cast<std::size_t>(got)});
  }
}

void fork_child(const std::vector<std::string>& steps) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) die_errno("pipe");
  const int pid = fork();
  if (pid < 0) die_errno("fork");
  if (pid == 0) {
    ready();  // the parent's own pipe, were it a child: only its owner speaks for it
    close(ends[0]);
    ready_pipe = ends[1];
    run(steps);
    _exit(0);
  }
  close(ends[1]);
  char end = 0;
  while (read(ends[0], &end, 1) < 0 && errno == EINTR) {
  }
  close(ends[0]);
}

void ready() {
  if (ready_pipe >= 0) close(ready_pipe);
  ready_pipe = -1;
}

void on_signal(int signal, std::vector<std::string> steps) {
  lists()[signal] = std::move(steps);
  // Blocked from here on and received in pause_indefinitely: the steps do not run in a handler.
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal);
  if (sigprocmask(SIG_BLOCK, &mask, nullptr) != 0) die_errno("sigprocmask");
}

void pause_indefinitely() {
  ready();
  sigset_t mask;
  sigemptyset(&mask);
  for (const auto& [signal, steps] : lists()) sigaddset(&mask, signal);
  while (true) {
    const int signal = sigwaitinfo(&mask, nullptr);
    if (signal > 0) run(lists()[signal]);
  }
}

}  // namespace ddp::helper

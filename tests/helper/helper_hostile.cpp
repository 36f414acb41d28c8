// What ddp-test-helper does and no worker should: as fast as it can, indefinitely.
#include "tests/helper/helper.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <random>

namespace ddp::helper {
namespace {

constexpr int kDescriptors = 20;  // more than a launcher is willing to take at once
constexpr std::size_t kLongest = std::size_t{100} * 1024;

int connect_to_launcher() {
  const auto name = environment("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) die("NOTIFY_SOCKET is too long");
  std::memcpy(address.sun_path, name.data(), name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    die_errno("connect to " + name);
  }
  return fd;
}

// Blocks while the launcher's queue is full: as fast as the launcher reads.
void send_datagram(int socket, std::string_view text, const std::array<int, kDescriptors>* files) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptors)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (files != nullptr) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const attached = CMSG_FIRSTHDR(&header);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof(int) * kDescriptors);
    std::memcpy(CMSG_DATA(attached), files->data(), sizeof *files);
  }
  if (sendmsg(socket, &header, MSG_NOSIGNAL) >= 0) return;
  // ETOOMANYREFS: too many descriptors in flight, so the launcher is behind.
  if (errno != EINTR && errno != ETOOMANYREFS && errno != EMSGSIZE && errno != ENOBUFS) {
    _exit(0);  // it is gone
  }
}

}  // namespace

void notify_as(unsigned user, std::string_view text) {
  const int socket = connect_to_launcher();  // which only the launcher's own user could
  set_ids(user);
  send_datagram(socket, text, nullptr);
  close(socket);
}

void flood(int fd) {
  ready();
  std::string lines;
  while (lines.size() < std::size_t{64} * 1024) {
    lines += std::string(lines.size() % 150, '.') + "|\n";
  }
  while (true) write_all(fd, lines);
}

void flood_notifications(long round) {
  ready();
  const int socket = connect_to_launcher();
  std::array<int, kDescriptors> files{};
  for (int& file : files) file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::mt19937 random(7);
  const std::string huge(kLongest, 'A');
  for (long sent = 0;; ++sent) {
    switch (sent % 6) {
      case 0:
        send_datagram(socket, huge, nullptr);
        break;
      case 1: {
        std::string bytes(random() % 4096, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        send_datagram(socket, bytes, nullptr);
        break;
      }
      case 2:
        send_datagram(socket, "X_DDP_STEP=" + std::to_string(sent), nullptr);
        break;
      case 3:
        send_datagram(socket, "BARRIER=1\nFDSTORE=1", &files);
        break;
      case 4:
        send_datagram(socket, "", nullptr);
        break;
      default:
        send_datagram(socket,
                      "READY=1\nSTATUS=\x1b[2J\nWATCHDOG=1\nX_DDP_STEP=-99999999999999999999",
                      nullptr);
    }
    if (sent % round == round - 1) write_all(1, "sent " + std::to_string(round) + "\n");
  }
}

void flee() {
  ready();
  // No process can wait for one that is gone: the child goes on, the parent exits.
  while (true) {
    const int pid = fork();
    if (pid > 0) _exit(0);
    if (pid == 0) setsid();
  }
}

}  // namespace ddp::helper

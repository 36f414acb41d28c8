#include "tests/gpu_sim/nccl/ras.hpp"

#include "tests/gpu_sim/runtime/settings.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace ddp::gpu_sim::nccl {
namespace {

constexpr int kClientDeadlineMs = 5000;

// Reads "127.0.0.1:28028". -1 where there is no such address to listen at.
int listener() {
  const char* const text = std::getenv("NCCL_RAS_ADDR");
  if (text == nullptr) return -1;
  const std::string_view address = text;
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return -1;
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(std::atoi(text + colon + 1)));
  if (::inet_pton(AF_INET, std::string(address.substr(0, colon)).c_str(), &where.sin_addr) != 1)
    return -1;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 &&
      ::listen(fd, 8) == 0)
    return fd;
  ::close(fd);
  return -1;
}

class Client {
 public:
  explicit Client(int fd) : fd_(fd) {}
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // False at the end, or where the client does not go on.
  bool read_line(std::string& line) {
    line.clear();
    for (char c = 0; line.size() < 1000; line += c) {
      pollfd ready{fd_, POLLIN, 0};
      if (::poll(&ready, 1, kClientDeadlineMs) != 1 || ::read(fd_, &c, 1) != 1) return false;
      if (c == '\n') return true;
    }
    return false;
  }
  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

 private:
  int fd_;
};

void answer(Client& client, std::string (*communicators)()) {
  std::string line;
  while (client.read_line(line)) {
    if (line.starts_with("CLIENT PROTOCOL ")) {
      client.write("SERVER PROTOCOL 2\n");
    } else if (line.starts_with("TIMEOUT ") || line == "SET FORMAT json") {
      client.write("OK\n");
    } else if (line == "VERBOSE STATUS") {
      client.write("{\"nccl_version\":\"" + std::to_string(settings().nccl_version) +
                   "\",\"communicators\":[" + communicators() + "]}\n");
      return;
    } else {
      client.write("ERROR: Unknown command\n");
    }
  }
}

}  // namespace

void serve_ras(std::string (*communicators)()) {
  static const int fd = listener();
  if (fd < 0) return;
  static const bool serving = [communicators] {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([communicators] {
      for (int client = 0; (client = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        Client connected(client);
        answer(connected, communicators);
      }
    }).detach();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return true;
  }();
  static_cast<void>(serving);
}

}  // namespace ddp::gpu_sim::nccl

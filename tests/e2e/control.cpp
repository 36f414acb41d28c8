#include "tests/e2e/control.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace ddp::test {

Start ctl_start(const Scene& scene, const Words& words) {
  Start start;
  start.argv = Words{path_or("DDP_TEST_CTL", DDP_CTL)} + words + Words{"--dir", scene.path("run")};
  start.env = scene.env;
  start.directory = scene.directory.string();
  return start;
}

Finished ctl(const Scene& scene, const Words& words) {
  Process process(ctl_start(scene, words));
  const Status status = process.wait();
  return {status, process.out(), process.err()};
}

std::string control_socket(const Scene& scene) {
  for (const auto& entry : std::filesystem::directory_iterator(scene.directory / "run")) {
    const auto socket = entry.path() / "control";
    if (std::filesystem::exists(socket)) return socket.string();
  }
  throw std::runtime_error("the launch has no control socket");
}

namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

void leave_stale_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::listen(fd, 1) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("cannot bind " + path);
}

BareClient::BareClient(const std::string& socket)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_un address = address_of(socket);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error(socket + ": " + std::strerror(errno));
}

BareClient::BareClient(BareClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}

BareClient::~BareClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool BareClient::send(const std::string& text) const {
  return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

void BareClient::flood(const std::string& text) const {
  while (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
  }
}

std::optional<std::string> BareClient::line(const Deadline& deadline) {
  for (;;) {
    if (const auto newline = received_.find('\n'); newline != std::string::npos) {
      std::string line = received_.substr(0, newline);
      received_.erase(0, newline + 1);
      return line;
    }
    pollfd waited{fd_, POLLIN, 0};
    if (::poll(&waited, 1, deadline.remaining_ms()) == 0)
      throw Timeout("no line from the launch, so far: " + received_);
    std::array<char, 4096> bytes;
    const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
    if (size > 0) received_.append(bytes.data(), static_cast<std::size_t>(size));
  }
}

void BareClient::until_closed(const Deadline& deadline) const {
  pollfd waited{fd_, 0, 0};  // POLLHUP is always reported
  if (::poll(&waited, 1, deadline.remaining_ms()) == 0)
    throw Timeout("the launch does not close the connection");
}

}  // namespace ddp::test

#include "tests/support/fake_launcher.hpp"

#include "common/client/notifier.hpp"
#include "tests/support/temp_base.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

namespace ddp::test {

FakeLauncher::FakeLauncher(Handler handler) : handler_(std::move(handler)) {
  directory_ = (temp_base() / "ddp-launcher-XXXXXX").string();
  REQUIRE(::mkdtemp(directory_.data()) != nullptr);
  address_ = directory_ + "/notify";
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  REQUIRE(address_.size() < sizeof where.sun_path);
  std::memcpy(where.sun_path, address_.c_str(), address_.size() + 1);
  fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC);
  REQUIRE(stop_fd_ >= 0);
  thread_ = std::thread([this] { run(); });
}

FakeLauncher::~FakeLauncher() {
  ::eventfd_write(stop_fd_, 1);
  thread_.join();
  ::close(fd_);
  ::close(stop_fd_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::vector<std::string> FakeLauncher::lines() {
  const std::lock_guard lock(mutex_);
  while (receive()) {
  }
  return lines_;
}

std::size_t FakeLauncher::count(const std::string& line) {
  const auto all = lines();
  return static_cast<std::size_t>(std::count(all.begin(), all.end(), line));
}

std::size_t FakeLauncher::count_prefixed(const std::string& text) {
  const auto all = lines();
  return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [&](const std::string& line) { return line.starts_with(text); }));
}

void FakeLauncher::run() {
  for (;;) {
    pollfd polls[] = {{fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    if (::poll(polls, 2, -1) < 0) continue;
    if (polls[1].revents != 0) return;
    const std::lock_guard lock(mutex_);
    receive();
  }
}

// Handles one queued datagram; false if there is none. The caller holds the mutex.
bool FakeLauncher::receive() {
  char bytes[2 * kNotifyMessageLimit];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec data{bytes, sizeof bytes};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(fd_, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size < 0) return false;
  std::istringstream text(std::string(bytes, static_cast<std::size_t>(size)));
  for (std::string line; std::getline(text, line);) {
    lines_.push_back(line);
    if (handler_) handler_(line);
  }
  if (const cmsghdr* const rights = CMSG_FIRSTHDR(&header)) {
    int attached = -1;
    std::memcpy(&attached, CMSG_DATA(rights), sizeof attached);
    ::close(attached);  // the answer to BARRIER=1
  }
  return true;
}

}  // namespace ddp::test

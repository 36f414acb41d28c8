// The worker's side of sd_notify.
//
// BARRIER=1 carries the write end of a pipe. The launcher closes what it received once it has
// handled the message, and since a socket keeps its order everything before it too: the worker sees
// the pipe hang up. A launcher that dies closes it as well, and then there is none to wait for.
#include "common/client/notifier.hpp"

#include "common/env_names.hpp"
#include "common/parse.hpp"
#include "common/utf8.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace ddp {
namespace {

using Clock = std::chrono::steady_clock;

// A value must not begin another line, and must fit into one message.
std::string line(std::string_view name, std::string_view value) {
  const std::size_t room = kNotifyMessageLimit - name.size() - 1;
  std::string text(name);
  text += '=';
  text += without_controls(utf8_prefix(value, room));
  return text;
}

std::string metric_line(std::string_view name, double value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  std::string text = line("X_DDP_METRIC", utf8_prefix(name, kNotifyNameLimit));
  for (std::size_t i = std::strlen("X_DDP_METRIC="); i < text.size(); ++i) {
    if (text[i] == '=') text[i] = '_';  // the first '=' ends the name
  }
  return text + '=' + std::string(digits, end);
}

// A quarter of WATCHDOG_USEC, so that one late heartbeat is not taken for a hang; 0 for none.
std::chrono::microseconds heartbeat_asked_for() {
  const char* const usec = std::getenv(env::kWatchdogUsec);
  const char* const pid = std::getenv(env::kWatchdogPid);
  if (usec == nullptr) return {};
  // The most that nanoseconds can count.
  const auto period = parse_integer("", usec, 1, std::numeric_limits<std::int64_t>::max() / 1000);
  if (!period || (pid != nullptr && pid != std::to_string(::getpid()))) return {};
  return std::chrono::microseconds(std::max<std::int64_t>(1, *period / 4));
}

// Waits until poll(2) reports something on `fd` or the deadline passes; false then.
bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd watched{fd, events, 0};
    const int ready = ::poll(&watched, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready > 0) return true;
    if (ready == 0 && Clock::now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// Sends `message` as soon as the queue has space, with the descriptor `attached` unless it is -1.
// False when the deadline passes first or the launcher is dead.
bool send_by(int socket, std::string_view message, int attached, Clock::time_point deadline) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{const_cast<char*>(message.data()), message.size()};  // sendmsg only reads it
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (attached >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &attached, sizeof attached);
  }
  while (::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for(socket, POLLOUT, deadline)) return false;
  }
  return true;
}

}  // namespace

Notifier Notifier::from_environment() {
  const char* const address = std::getenv(env::kNotifySocket);
  if (address == nullptr) return {};
  Notifier notifier = connect_to(address);
  notifier.heartbeat_ = heartbeat_asked_for();
  return notifier;
}

Notifier Notifier::connect_to(std::string_view address) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  // A path needs space for its terminator; an abstract name has none, its '@' stands for a NUL.
  const bool abstract = !address.empty() && address[0] == '@';
  const std::size_t room = sizeof where.sun_path - (abstract ? 0 : 1);
  if (address.size() < 2 || address.size() > room || (!abstract && address[0] != '/')) return {};
  std::memcpy(where.sun_path, address.data(), address.size());
  if (abstract) where.sun_path[0] = '\0';
  const std::size_t length = offsetof(sockaddr_un, sun_path) + address.size() + (abstract ? 0 : 1);

  Notifier notifier(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!notifier.connected()) return {};
  if (::connect(notifier.fd_, reinterpret_cast<const sockaddr*>(&where),
                static_cast<socklen_t>(length)) != 0) {
    return {};
  }
  return notifier;
}

Notifier::Notifier(Notifier&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      unsent_(std::move(other.unsent_)),
      heartbeat_(other.heartbeat_),
      last_heartbeat_(other.last_heartbeat_) {}

Notifier& Notifier::operator=(Notifier&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(unsent_, other.unsent_);
  std::swap(heartbeat_, other.heartbeat_);
  std::swap(last_heartbeat_, other.last_heartbeat_);
  return *this;
}

Notifier::~Notifier() {
  if (fd_ >= 0) ::close(fd_);
}

void Notifier::ready() { send("READY=1"); }
void Notifier::watchdog() { send("WATCHDOG=1"); }
void Notifier::alive() {
  if (!connected() || heartbeat_.count() == 0) return;
  const auto now = Clock::now();
  if (last_heartbeat_ && now - *last_heartbeat_ < heartbeat_) return;
  last_heartbeat_ = now;
  watchdog();
}
void Notifier::status(std::string_view text) { send(line("STATUS", text)); }
void Notifier::phase(std::string_view name) {
  send(line("X_DDP_PHASE", utf8_prefix(name, kNotifyNameLimit)));
}
void Notifier::total_steps(std::int64_t total) {
  send("X_DDP_TOTAL_STEPS=" + std::to_string(total));
}
void Notifier::digest(std::string_view text) {
  send(line("X_DDP_DIGEST", utf8_prefix(text, kNotifyNameLimit)));
}
void Notifier::fault(std::string_view id) {
  send(line("X_DDP_FAULT", utf8_prefix(id, kNotifyNameLimit)));
}
void Notifier::step(std::int64_t step) { send("X_DDP_STEP=" + std::to_string(step)); }

void Notifier::step(std::int64_t step, const std::vector<std::pair<std::string, double>>& metrics) {
  std::string message = "X_DDP_STEP=" + std::to_string(step);
  for (const auto& [name, value] : metrics) {
    const std::string metric = metric_line(name, value);
    if (message.size() + 1 + metric.size() > kNotifyMessageLimit) break;
    message += '\n';
    message += metric;
  }
  send(message);
}

bool Notifier::flush(std::chrono::milliseconds timeout) {
  if (!connected()) return false;
  if (!unsent_.empty() && !send_by(fd_, unsent_, -1, Clock::now() + timeout)) return false;
  unsent_.clear();
  return true;
}

bool Notifier::barrier(std::chrono::milliseconds timeout) {
  if (!connected()) return false;
  const Clock::time_point deadline = Clock::now() + timeout;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  const auto [read_end, write_end] = ends;

  // A barrier ahead of messages that are still unsent would promise too much. It travels alone, as
  // systemd demands.
  const bool sent = flush(timeout) && send_by(fd_, "BARRIER=1", write_end, deadline);
  ::close(write_end);
  const bool handled = sent && wait_for(read_end, 0, deadline);  // POLLHUP is always reported
  ::close(read_end);
  return handled;
}

void Notifier::send(std::string_view message) {
  if (!connected()) return;
  const std::string whole = with_unsent(message);
  ssize_t sent = 0;
  do {
    sent = ::send(fd_, whole.data(), whole.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
    unsent_ = whole;
  } else {
    unsent_.clear();  // sent, or the launcher is dead
  }
}

std::string Notifier::with_unsent(std::string_view message) const {
  if (unsent_.empty()) return std::string(message);
  if (unsent_.size() + 1 + message.size() <= kNotifyMessageLimit) {
    return unsent_ + '\n' + std::string(message);
  }
  constexpr std::string_view kReady = "READY=1";
  const std::size_t at = unsent_.find(kReady);
  const bool ready = at != std::string::npos && (at == 0 || unsent_[at - 1] == '\n');
  if (!ready || kReady.size() + 1 + message.size() > kNotifyMessageLimit) {
    return std::string(message);
  }
  return std::string(kReady) + '\n' + std::string(message);
}

}  // namespace ddp

// TCP sockets with deadlines, for the two sides of the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ddp::worker {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// Owns one descriptor.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// "127.0.0.1:29500", "[::1]:29500".
std::string place(const std::string& host, std::uint16_t port);

// Opens a non-blocking listener on host:port, with SO_REUSEADDR because the attempt before may have
// just used the port. Binds the address of `host` if this machine has it (so that a loopback master
// is not reachable from outside), and every address otherwise (a service address that is forwarded
// here). With port 0, chooses a free one. Throws Failure.
Socket listen_on(const std::string& host, std::uint16_t port);
std::uint16_t local_port(const Socket& socket);

// Tries once to connect and returns a non-blocking socket. Returns nullopt and sets `why` when
// nothing listens there yet, the time is over or the name does not resolve yet.
std::optional<Socket> try_connect(const std::string& host, std::uint16_t port, Deadline deadline,
                                  std::string& why);

// The numeric local address of a connected socket: that of the interface that reaches the peer.
std::string local_address(const Socket& socket);

enum class Io { done, closed, timed_out };

// Sends all of `data`. A reset connection counts as `closed`.
Io send_all(const Socket& socket, std::string_view data, Deadline deadline);
// Receives exactly `size` bytes.
Io receive_exactly(const Socket& socket, char* into, std::size_t size, Deadline deadline);

// The milliseconds until `deadline` for poll(2): rounded up, never negative.
int poll_timeout(Deadline deadline);

}  // namespace ddp::worker

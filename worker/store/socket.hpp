// TCP sockets with deadlines: what the store's two ends need, and no more.
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

// Listens, non-blocking, on host:port with SO_REUSEADDR, which a port that an attempt before has
// just used needs. Binds the address `host` names where it is one of this machine's (so a loopback
// master is not reachable from outside) and every address otherwise (a service address that is
// forwarded here). port 0 picks a free one. Throws Failure.
Socket listen_on(const std::string& host, std::uint16_t port);
std::uint16_t local_port(const Socket& socket);

// One attempt to connect, non-blocking socket. nullopt when nothing listens there yet, the
// attempt timed out or the name does not resolve yet; `why` then says so. Never throws for those.
std::optional<Socket> try_connect(const std::string& host, std::uint16_t port, Deadline deadline,
                                  std::string& why);

// The numeric address of this end of a connected socket: the interface that reaches the peer.
std::string local_address(const Socket& socket);

enum class Io { done, closed, timed_out };

// All of `data`, or why not. A reset connection is `closed`.
Io send_all(const Socket& socket, std::string_view data, Deadline deadline);
// Exactly `size` bytes into `into`.
Io receive_exactly(const Socket& socket, char* into, std::size_t size, Deadline deadline);

// Milliseconds until `deadline`, rounded up, never negative: for poll(2).
int poll_timeout(Deadline deadline);

}  // namespace ddp::worker

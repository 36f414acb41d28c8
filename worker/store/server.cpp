#include "worker/store/server.hpp"

#include "common/duration_text.hpp"
#include "worker/base/failure.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ddp::worker {
namespace {

constexpr std::chrono::seconds kHelloTime{10};
// Others (a port scanner, a stale rank) may hold this many connections in addition to the ranks.
constexpr std::size_t kSpareConnections = 64;

}  // namespace

std::string name_ranks(const std::vector<int>& ranks) {
  constexpr std::size_t kMostNamed = 8;
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < std::min(ranks.size(), kMostNamed); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
  if (ranks.size() > kMostNamed)
    text += " and " + std::to_string(ranks.size() - kMostNamed) + " more";
  return text;
}

StoreServer::StoreServer(const wire::Hello& self, const std::string& host, std::uint16_t port)
    : self_(self), listener_(listen_on(host, port)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  if (!stop_.valid()) throw Failure(std::string("the store: eventfd: ") + std::strerror(errno));
  port_ = local_port(listener_);
  thread_ = std::thread([this] { serve(); });
}

StoreServer::~StoreServer() {
  const std::uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
}

void StoreServer::serve() {
  std::vector<pollfd> polls;
  while (true) {
    polls.assign({{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}});
    for (const Connection& c : connections_) {
      const int events = (c.closing ? 0 : POLLIN) | (c.out.empty() ? 0 : POLLOUT);
      polls.push_back({c.socket.get(), static_cast<short>(events), 0});
    }
    const Deadline next = next_deadline();
    const int timeout = next == Deadline::max() ? -1 : poll_timeout(next);
    if (::poll(polls.data(), polls.size(), timeout) < 0 && errno != EINTR) return;
    if (polls[0].revents != 0) return;
    for (std::size_t i = 2; i < polls.size(); ++i) {
      Connection& connection = connections_[i - 2];
      if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read(connection);
      if (connection.socket.valid() && !connection.out.empty()) write(connection);
    }
    const auto now = Clock::now();
    for (Connection& c : connections_)
      if (c.socket.valid() && c.rank < 0 && now >= c.hello_due) drop(c);
    answer_waits();
    std::erase_if(connections_, [](const Connection& c) { return !c.socket.valid(); });
    if (polls[1].revents != 0) accept_all();
  }
}

Deadline StoreServer::next_deadline() const {
  Deadline next = Deadline::max();
  for (const Connection& c : connections_) {
    if (c.rank < 0) next = std::min(next, c.hello_due);
    if (c.waiting) next = std::min(next, c.wait_until);
  }
  return next;
}

void StoreServer::accept_all() {
  const std::size_t most = static_cast<std::size_t>(self_.world_size) + kSpareConnections;
  while (true) {
    Socket socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;  // no more connections, or no descriptors: the peer tries again
    }
    if (connections_.size() >= most) continue;
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Connection connection;
    connection.socket = std::move(socket);
    connection.hello_due = Clock::now() + kHelloTime;
    connections_.push_back(std::move(connection));
  }
}

void StoreServer::drop(Connection& connection) {
  connection.socket.reset();
  connection.waiting = false;
  if (connection.rank >= 0) {
    joined_.erase(connection.rank);
    left_.insert(connection.rank);
    if (complete_)
      values_.try_emplace(std::string(wire::kFirstToLeave), name_ranks({connection.rank}));
  }
}

void StoreServer::read(Connection& connection) {
  char buffer[65536];
  while (connection.socket.valid()) {
    const ssize_t got = ::recv(connection.socket.get(), buffer, sizeof buffer, 0);
    if (got > 0) {
      if (!connection.closing) connection.in.append(buffer, static_cast<std::size_t>(got));
      handle_frames(connection);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN) {
      return;
    } else {
      drop(connection);
    }
  }
}

void StoreServer::write(Connection& connection) {
  const ssize_t sent =
      ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
  if (sent >= 0) {
    connection.out.erase(0, static_cast<std::size_t>(sent));
    if (connection.out.empty() && connection.closing) drop(connection);
  } else if (errno != EAGAIN && errno != EINTR) {
    drop(connection);
  }
}

void StoreServer::handle_frames(Connection& connection) {
  while (connection.socket.valid() && !connection.closing &&
         connection.in.size() >= wire::kLengthSize) {
    const std::uint32_t length = wire::frame_length(connection.in.data());
    if (length > wire::kFrameLimit) return drop(connection);
    if (connection.in.size() < wire::kLengthSize + length) return;
    const std::string body = connection.in.substr(wire::kLengthSize, length);
    connection.in.erase(0, wire::kLengthSize + length);
    if (connection.rank < 0) {
      greet(connection, body);
    } else if (auto request = wire::decode_request(body); request && !connection.waiting) {
      handle(connection, std::move(*request));
    } else {
      drop(connection);
    }
  }
}

void StoreServer::greet(Connection& connection, std::string_view body) {
  const auto hello = wire::decode_hello(body);
  if (!hello) return drop(connection);  // not a worker: it would not understand an answer
  const wire::Reply reply = admission(*hello);
  if (reply.status == wire::Status::ok) {
    connection.rank = hello->rank;
    joined_.insert(hello->rank);
    left_.erase(hello->rank);
    complete_ |= std::ssize(joined_) == self_.world_size;
  } else {
    connection.closing = true;
  }
  connection.out += wire::encode(reply);
  write(connection);
}

wire::Reply StoreServer::admission(const wire::Hello& hello) const {
  const auto served = [](const wire::Hello& h) {
    return "generation " + std::to_string(h.generation) +
           (h.run_id.empty() ? std::string() : " of run '" + h.run_id + "'");
  };
  if (hello.run_id != self_.run_id || hello.generation != self_.generation) {
    const bool newer = hello.run_id == self_.run_id && hello.generation > self_.generation;
    return {newer ? wire::Status::retry : wire::Status::refused,
            "the store there serves " + served(self_) + ", not " + served(hello)};
  }
  if (hello.world_size != self_.world_size)
    return {wire::Status::refused, "rank 0 has WORLD_SIZE " + std::to_string(self_.world_size) +
                                       ", this rank " + std::to_string(hello.world_size)};
  if (hello.rank < 0 || hello.rank >= self_.world_size)
    return {wire::Status::refused, "RANK " + std::to_string(hello.rank) + " is not in a world of " +
                                       std::to_string(self_.world_size)};
  if (joined_.contains(hello.rank))
    return {wire::Status::refused,
            "another worker has joined as rank " + std::to_string(hello.rank) + " already"};
  return {};
}

void StoreServer::handle(Connection& connection, wire::Request request) {
  if (request.operation == wire::Operation::set) {
    values_[request.key] = std::move(request.value);
    connection.out += wire::encode(wire::Reply{});
    return;
  }
  connection.waiting = true;
  connection.wait_until = Clock::now() + std::chrono::milliseconds(request.timeout_ms);
  connection.wait = std::move(request);
}

std::vector<int> StoreServer::missing_ranks() const {
  std::vector<int> missing;
  for (int rank = 0; rank < self_.world_size; ++rank)
    if (!joined_.contains(rank)) missing.push_back(rank);
  return missing;
}

void StoreServer::answer_waits() {
  const auto now = Clock::now();
  for (Connection& c : connections_) {
    if (!c.waiting) continue;
    const bool join = c.wait.operation == wire::Operation::join;
    const auto value = values_.find(c.wait.key);
    wire::Reply reply;
    if (join && static_cast<int>(joined_.size()) == self_.world_size) {
      // All ranks have joined.
    } else if (!join && value != values_.end()) {
      reply.text = value->second;
    } else if (now >= c.wait_until) {
      reply.status = wire::Status::timed_out;
      reply.text = "waited " + seconds_text(std::chrono::milliseconds(c.wait.timeout_ms)) +
                   " for " +
                   (join ? name_ranks(missing_ranks()) + " to join" : "'" + c.wait.key + "'");
      const std::vector<int> left(left_.begin(), left_.end());
      if (!left.empty()) reply.text += "; " + name_ranks(left) + " had joined and left";
    } else {
      continue;
    }
    c.waiting = false;
    c.out += wire::encode(reply);
    write(c);
  }
}

}  // namespace ddp::worker

#include "worker/store/client.hpp"

#include "common/duration_text.hpp"
#include "worker/base/failure.hpp"
#include "worker/store/server.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <string_view>

namespace ddp::worker {
namespace {

using std::chrono::milliseconds;

// The server ends a wait when its time has passed. The client's own, later deadline counts only if
// the server is stopped or gone.
constexpr milliseconds kSlack{2000};

std::optional<wire::Reply> receive_reply(const Socket& socket, Deadline deadline, Io& io) {
  char length[wire::kLengthSize];
  io = receive_exactly(socket, length, sizeof length, deadline);
  if (io != Io::done) return std::nullopt;
  const std::uint32_t size = wire::frame_length(length);
  if (size > wire::kFrameLimit) return std::nullopt;
  std::string body(size, '\0');
  io = receive_exactly(socket, body.data(), body.size(), deadline);
  if (io != Io::done) return std::nullopt;
  return wire::decode_reply(body);
}

// Tries once to connect and join. Returns nullopt and sets `why` on a failure that may pass; throws
// Failure on a final one.
std::optional<Socket> attempt(const std::string& hello, const std::string& host, std::uint16_t port,
                              Deadline deadline, std::string& why) {
  auto socket = try_connect(host, port, deadline, why);
  if (!socket) return std::nullopt;
  Io io = send_all(*socket, hello, deadline);
  std::optional<wire::Reply> reply;
  if (io == Io::done) reply = receive_reply(*socket, deadline, io);
  if (!reply) {
    why = io == Io::timed_out ? "it does not answer"
                              : "what listens there is not the store of this run";
    return std::nullopt;
  }
  if (reply->status == wire::Status::ok) return socket;
  if (reply->status == wire::Status::refused) throw Failure("cannot join: " + reply->text);
  why = reply->text;
  return std::nullopt;
}

}  // namespace

StoreClient::StoreClient(const wire::Hello& self, const std::string& host, std::uint16_t port,
                         milliseconds timeout) {
  // The start of a listener causes no event, so the only way is to try again.
  constexpr milliseconds kFirstPause{5};
  constexpr milliseconds kLongestPause{100};
  const std::string hello = wire::encode(self);
  const Deadline deadline = Clock::now() + timeout;
  std::string why;
  for (auto pause = kFirstPause; !socket_.valid(); pause = std::min(2 * pause, kLongestPause)) {
    if (auto socket = attempt(hello, host, port, deadline, why)) {
      socket_ = std::move(*socket);
      break;
    }
    if (Clock::now() + pause >= deadline) {
      throw Failure("waited " + seconds_text(timeout) + " for rank 0's store at " +
                    place(host, port) + ": " + why);
    }
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
  }
  local_address_ = ddp::worker::local_address(socket_);
}

wire::Reply StoreClient::exchange(const wire::Request& request) {
  const std::lock_guard lock(mutex_);
  const Deadline deadline = Clock::now() + milliseconds(request.timeout_ms) + kSlack;
  Io io = send_all(socket_, wire::encode(request), deadline);
  std::optional<wire::Reply> reply;
  if (io == Io::done) reply = receive_reply(socket_, deadline, io);
  if (!reply) {
    throw PeerFailure(io == Io::timed_out
                          ? "rank 0's store does not answer"
                          : "rank 0's store has closed the connection: rank 0 is gone");
  }
  return *reply;
}

wire::Reply StoreClient::ask(const wire::Request& request) {
  wire::Reply reply = exchange(request);
  if (reply.status != wire::Status::ok) throw Failure(reply.text);
  return reply;
}

std::string StoreClient::wait_for_leaver() {
  constexpr std::uint32_t kDay = 24 * 3600 * 1000;  // then it asks again
  const wire::Request request{wire::Operation::get, std::string(wire::kFirstToLeave), kDay, {}};
  try {
    while (true) {
      const wire::Reply reply = exchange(request);
      if (reply.status == wire::Status::ok) return reply.text;
    }
  } catch (const Failure&) {
    return "rank 0";
  }
}

void StoreClient::interrupt() { ::shutdown(socket_.get(), SHUT_RDWR); }

void StoreClient::join(milliseconds timeout) {
  ask({wire::Operation::join, {}, static_cast<std::uint32_t>(timeout.count()), {}});
}

void StoreClient::set(const std::string& key, const std::string& value) {
  ask({wire::Operation::set, key, 0, value});
}

std::string StoreClient::get(const std::string& key, milliseconds timeout) {
  return ask({wire::Operation::get, key, static_cast<std::uint32_t>(timeout.count()), {}}).text;
}

}  // namespace ddp::worker

#include "launcher/control/server.hpp"

#include "launcher/control/connection.hpp"
#include "launcher/os/fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <set>
#include <utility>

namespace ddp::control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kBacklog = 16;
// Without a descriptor for a client, accept fails again and again.
constexpr std::chrono::seconds kNoDescriptor{1};

std::optional<core::Requester> peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return core::Requester{.pid = peer.pid, .uid = peer.uid, .user = {}};
}

}  // namespace

bool may_control(unsigned uid, unsigned own) { return uid == own || uid == 0; }

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, os::Loop& loop, Serve serve)
      : io_(io),
        loop_(loop),
        serve_(std::move(serve)),
        listener_(io),
        accept_timer_(loop.make_timer()),
        serve_timer_(loop.make_timer()) {}

  std::string open(const std::string& directory) {
    const std::string path = directory + "/" + kSocketName;
    const auto refused = [&] { return path + ": " + std::strerror(errno); };
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    errno = ENAMETOOLONG;
    if (path.size() >= sizeof address.sun_path) return refused();
    std::memcpy(address.sun_path, path.data(), path.size());
    os::ScopedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return refused();
    // Before it listens, so that no one connects to it with another mode.
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(path.c_str(), 0600) != 0 || ::listen(socket.get(), kBacklog) != 0)
      return refused();
    error_code failed;
    listener_.assign(socket.get(), failed);
    if (failed) return path + ": " + failed.message();
    socket.release();
    wait();
    return {};
  }

  void stop() {
    error_code ignored;
    listener_.close(ignored);
    accept_timer_->cancel();
    serve_timer_->cancel();
    waiting_.clear();
    for (const auto& one : std::exchange(connections_, {})) one->close();
  }

 private:
  struct Waiting {
    std::shared_ptr<Connection> connection;
    std::string line;
  };

  void wait() {
    listener_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [weak = weak_from_this()](error_code failed) {
                           const auto self = weak.lock();
                           if (self && !failed && self->listener_.is_open()) self->accept();
                         });
  }

  void accept() {
    core::Nanoseconds pause = kPause;
    os::ScopedFd socket(
        ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.valid()) {
      welcome(std::move(socket));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      pause = kNoDescriptor;
    }
    accept_timer_->at(loop_.now() + pause, [this] { wait(); });
  }

  void welcome(os::ScopedFd socket) {
    auto peer = peer_of(socket.get());
    if (!peer) return;
    const bool allowed = may_control(peer->uid, ::geteuid());
    const auto connection = Connection::make(
        io_, loop_, std::move(socket), std::move(*peer),
        {.requested =
             [this](const auto& one, std::string line) {
               waiting_.push_back({one, std::move(line)});
               serve_soon();
             },
         .closed =
             [this](const Connection* closed) {
               std::erase_if(connections_,
                             [closed](const auto& one) { return one.get() == closed; });
             }});
    const bool full = connections_.size() >= kMostClients + kTurnedAway;
    if (full) return;
    connections_.insert(connection);
    if (!allowed) {
      connection->turn_away(refused("only the user of this launch and root may control it"));
    } else if (connections_.size() > kMostClients) {
      connection->turn_away(
          refused("too many clients: expected " + std::to_string(kMostClients) + " at most"));
    } else {
      connection->start();
    }
  }

  void serve_soon() {
    if (serving_ || pausing_ || waiting_.empty()) return;
    if (loop_.now() >= next_at_) return serve_one();
    pausing_ = true;
    serve_timer_->at(next_at_, [this] {
      pausing_ = false;
      serve_one();
    });
  }

  void serve_one() {
    auto [connection, line] = std::move(waiting_.front());
    waiting_.pop_front();
    const auto began = loop_.now();
    serving_ = true;  // an answer that is written at once brings the next request
    const auto request = parse_request(line);
    if (request) {
      serve_(*request, connection);
    } else {
      connection->answer(refused(request.error()));
    }
    serving_ = false;
    const auto now = loop_.now();
    next_at_ = now + std::max<core::Nanoseconds>(kPause, 4 * (now - began));
    serve_soon();
  }

  // Those that are refused, while they read why.
  static constexpr std::size_t kTurnedAway = 8;

  asio::io_context& io_;
  os::Loop& loop_;
  Serve serve_;
  asio::posix::stream_descriptor listener_;
  std::unique_ptr<os::Timer> accept_timer_;
  std::unique_ptr<os::Timer> serve_timer_;
  std::set<std::shared_ptr<Connection>> connections_;
  std::deque<Waiting> waiting_;
  core::TimePoint next_at_;
  bool serving_ = false;
  bool pausing_ = false;
};

Server::Server(asio::io_context& io, os::Loop& loop, Serve serve)
    : impl_(std::make_shared<Impl>(io, loop, std::move(serve))) {}
Server::~Server() { impl_->stop(); }
std::string Server::open(const std::string& directory) { return impl_->open(directory); }

}  // namespace ddp::control

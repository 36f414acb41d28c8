#include "launcher/control/connection.hpp"

#include "launcher/control/protocol.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace ddp::control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class Socket final : public Connection, public std::enable_shared_from_this<Socket> {
 public:
  Socket(asio::io_context& io, os::Loop& loop, os::ScopedFd socket, core::Requester requester,
         Handlers handlers)
      : loop_(loop),
        descriptor_(io, socket.release()),
        patience_(loop.make_timer()),
        requester_(std::move(requester)),
        handlers_(std::move(handlers)) {}

  const core::Requester& requester() const override { return requester_; }

  void start() override { next_request(); }

  void turn_away(std::string line) override {
    last_ = true;
    answer(std::move(line));
  }

  void answer(std::string lines) override {
    if (!descriptor_.is_open()) return;
    out_ = std::move(lines);
    written_ = 0;
    be_patient();
    write();
  }

  void close() override {
    handlers_ = {};
    patience_->cancel();
    error_code ignored;
    descriptor_.close(ignored);
  }

 private:
  void give_up() {
    const auto closed = std::move(handlers_.closed);
    const auto self = shared_from_this();
    close();
    if (closed) closed(this);
  }

  void be_patient() {
    patience_->at(loop_.now() + kPatience, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->give_up();
    });
  }

  void next_request() {
    be_patient();
    take_line();
  }

  void take_line() {
    const auto newline = in_.find('\n');
    if (newline != std::string::npos) {
      std::string line = in_.substr(0, newline);
      in_.erase(0, newline + 1);
      patience_->cancel();
      return handlers_.requested(shared_from_this(), std::move(line));
    }
    if (in_.size() >= kLongestRequest)
      return turn_away(refused("request too long: expected " + std::to_string(kLongestRequest) +
                               " bytes at most"));
    wait(asio::posix::stream_descriptor::wait_read, &Socket::read);
  }

  void wait(asio::posix::stream_descriptor::wait_type what, void (Socket::*then)()) {
    descriptor_.async_wait(what, [self = shared_from_this(), then](error_code failed) {
      if (!failed && self->descriptor_.is_open()) ((*self).*then)();
    });
  }

  void read() {
    std::array<char, 4096> bytes;
    const auto most = std::min(bytes.size(), kLongestRequest - in_.size());
    const ssize_t size = ::recv(descriptor_.native_handle(), bytes.data(), most, MSG_DONTWAIT);
    if (size == 0) return give_up();
    if (size > 0) {
      in_.append(bytes.data(), static_cast<std::size_t>(size));
    } else if (errno != EAGAIN && errno != EINTR) {
      return give_up();
    }
    take_line();
  }

  void write() {
    while (written_ < out_.size()) {
      const ssize_t size = ::send(descriptor_.native_handle(), out_.data() + written_,
                                  out_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN)
        return wait(asio::posix::stream_descriptor::wait_write, &Socket::write);
      if (size < 0) return give_up();
      written_ += static_cast<std::size_t>(size);
      be_patient();
    }
    out_ = {};
    written_ = 0;
    if (last_) return give_up();
    next_request();
  }

  os::Loop& loop_;
  asio::posix::stream_descriptor descriptor_;
  std::unique_ptr<os::Timer> patience_;
  core::Requester requester_;
  Handlers handlers_;
  std::string in_;   // what is read of the next requests
  std::string out_;  // the answer
  std::size_t written_ = 0;
  bool last_ = false;  // no request follows
};

}  // namespace

std::shared_ptr<Connection> Connection::make(asio::io_context& io, os::Loop& loop,
                                             os::ScopedFd socket, core::Requester requester,
                                             Handlers handlers) {
  return std::make_shared<Socket>(io, loop, std::move(socket), std::move(requester),
                                  std::move(handlers));
}

}  // namespace ddp::control

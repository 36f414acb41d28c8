#include "launcher/control/connection.hpp"

#include "launcher/control/protocol.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace ddp::control {
namespace {

// Of an answer that goes on.
constexpr std::size_t kUnread = std::size_t{256} * 1024;

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
    writing_ = true;
    be_patient();
    write();
  }

  void begin(std::string lines) override {
    if (!descriptor_.is_open()) return;
    goes_on_ = true;
    answer(std::move(lines));
    // Its end; a request meanwhile breaks the protocol and ends it too.
    if (descriptor_.is_open()) wait(asio::posix::stream_descriptor::wait_read, &Socket::give_up);
  }

  bool more(std::string_view line) override {
    if (!descriptor_.is_open() || out_.size() - written_ + line.size() > kUnread) {
      ++lost_;
      return false;
    }
    report_lost();
    out_ += line;
    // From the loop: many lines that come at once are one write.
    if (std::exchange(writing_, true)) return true;
    be_patient();
    wait(asio::posix::stream_descriptor::wait_write, &Socket::write);
    return true;
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
    report_lost();
    if (!out_.empty()) return write();
    writing_ = false;
    if (last_) return give_up();
    if (goes_on_) return patience_->cancel();
    next_request();
  }

  void report_lost() {
    if (lost_ > 0) out_ += "{\"lost\":" + std::to_string(std::exchange(lost_, 0)) + "}\n";
  }

  os::Loop& loop_;
  asio::posix::stream_descriptor descriptor_;
  std::unique_ptr<os::Timer> patience_;
  core::Requester requester_;
  Handlers handlers_;
  std::string in_;   // what is read of the next requests
  std::string out_;  // the answer
  std::size_t written_ = 0;
  bool writing_ = false;
  bool last_ = false;      // no request follows
  bool goes_on_ = false;   // the answer does, until the client leaves
  std::int64_t lost_ = 0;  // lines, since the last that was taken
};

}  // namespace

std::shared_ptr<Connection> Connection::make(asio::io_context& io, os::Loop& loop,
                                             os::ScopedFd socket, core::Requester requester,
                                             Handlers handlers) {
  return std::make_shared<Socket>(io, loop, std::move(socket), std::move(requester),
                                  std::move(handlers));
}

}  // namespace ddp::control

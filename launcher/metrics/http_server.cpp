#include "launcher/metrics/http_server.hpp"

#include "launcher/os/fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace ddp::metrics {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 16;
// Without a descriptor for a client, accept fails again and again.
constexpr std::chrono::seconds kNoDescriptor{1};
// What a client may send after its request, so that it reads the answer before the connection ends.
constexpr std::size_t kMostIgnored = std::size_t{64} * 1024;

constexpr std::string_view kTextType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kMessageType = "text/plain; charset=utf-8";

boost::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// One connection: reads a request, answers, closes.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using Closed = std::function<void(const Session*)>;

  Session(tcp::socket socket, const HttpServer::Text& text, Closed closed)
      : stream_(std::move(socket)), text_(text), closed_(std::move(closed)) {}

  void start() {
    stream_.expires_after(kPatience);  // for all that follows
    parser_.header_limit(kMostRequest);
    parser_.body_limit(boost::none);  // it is not read
    http::async_read_header(
        stream_, buffer_, parser_,
        [self = shared_from_this()](error_code failed, std::size_t) { self->requested(failed); });
  }

  void close() {
    closed_ = nullptr;
    stream_.close();
  }

 private:
  void requested(error_code failed) {
    if (!closed_) return;
    if (failed == http::error::header_limit || failed == http::error::buffer_overflow)
      return refuse(http::status::request_header_fields_too_large, "the request is too long\n");
    if (failed && failed.category() == http::make_error_code(http::error::bad_method).category() &&
        failed != http::error::end_of_stream && failed != http::error::partial_message)
      return refuse(http::status::bad_request, "this is not a request of HTTP/1.1\n");
    if (failed) return end();
    const auto& request = parser_.get();
    head_only_ = request.method() == http::verb::head;
    const auto target = request.target();
    if (target.substr(0, target.find('?')) != "/metrics")
      return refuse(http::status::not_found, "only /metrics is here\n");
    if (!head_only_ && request.method() != http::verb::get)
      return refuse(http::status::method_not_allowed, "expected GET or HEAD\n");
    shown_ = text_();
    answer(http::status::ok, kTextType, *shown_);
  }

  void refuse(http::status status, std::string_view why) { answer(status, kMessageType, why); }

  void answer(http::status status, std::string_view type, std::string_view body) {
    response_.result(status);
    response_.set(http::field::content_type, view(type));
    if (status == http::status::method_not_allowed) response_.set(http::field::allow, "GET, HEAD");
    response_.keep_alive(false);
    response_.content_length(body.size());
    if (!head_only_) response_.body() = {body.data(), body.size()};
    serializer_.emplace(response_);
    const auto done = [self = shared_from_this()](error_code failed, std::size_t) {
      self->answered(failed);
    };
    if (head_only_) {
      http::async_write_header(stream_, *serializer_, done);
    } else {
      http::async_write(stream_, *serializer_, done);
    }
  }

  void answered(error_code failed) {
    if (failed || !closed_) return end();
    stream_.socket().shutdown(tcp::socket::shutdown_send, failed);
    if (failed) return end();
    ignore_rest();
  }

  // A connection that is closed while it holds bytes that were not read loses what was sent.
  void ignore_rest() {
    stream_.async_read_some(asio::buffer(rest_),
                            [self = shared_from_this()](error_code failed, std::size_t size) {
                              self->ignored_ += size;
                              if (failed || self->ignored_ >= kMostIgnored || !self->closed_)
                                return self->end();
                              self->ignore_rest();
                            });
  }

  void end() {
    if (const auto closed = std::exchange(closed_, nullptr)) closed(this);
  }

  beast::tcp_stream stream_;
  const HttpServer::Text& text_;
  Closed closed_;
  beast::flat_buffer buffer_{kMostRequest};
  http::request_parser<http::empty_body> parser_;
  bool head_only_ = false;
  std::shared_ptr<const std::string> shown_;
  http::response<http::span_body<const char>> response_;
  std::optional<http::response_serializer<http::span_body<const char>>> serializer_;
  std::array<char, 4096> rest_;
  std::size_t ignored_ = 0;
};

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, os::Loop& loop, Text text)
      : io_(io), loop_(loop), text_(std::move(text)), listener_(io), pause_(loop.make_timer()) {}

  Result<std::string> open(const Endpoint& asked) {
    error_code failed;
    const auto address = asio::ip::make_address(asked.address, failed);
    tcp::endpoint endpoint(address, asked.port);
    const auto refused = [&] { return Error{text_of(endpoint) + ": " + std::strerror(errno)}; };
    os::ScopedFd socket(::socket(endpoint.protocol().family(),
                                 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    // With SO_REUSEADDR connections of an earlier run that are still closing are no hindrance.
    const int on = 1;
    if (!socket.valid() ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 ||
        ::listen(socket.get(), kBacklog) != 0)
      return refused();
    auto size = static_cast<socklen_t>(endpoint.capacity());
    if (::getsockname(socket.get(), endpoint.data(), &size) != 0) return refused();
    listener_.assign(endpoint.protocol(), socket.get(), failed);
    if (failed) return Error{text_of(endpoint) + ": " + failed.message()};
    protocol_ = endpoint.protocol();
    socket.release();
    wait();
    return text_of(endpoint);
  }

  void stop() {
    error_code ignored;
    listener_.close(ignored);
    pause_->cancel();
    for (const auto& one : std::exchange(sessions_, {})) one->close();
  }

 private:
  void wait() {
    waiting_ = true;
    listener_.async_wait(tcp::acceptor::wait_read, [weak = weak_from_this()](error_code failed) {
      const auto self = weak.lock();
      if (self && !failed && self->listener_.is_open()) self->accept();
    });
  }

  void accept() {
    waiting_ = false;
    core::Nanoseconds pause = kPause;
    os::ScopedFd socket(
        ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.valid()) {
      serve(std::move(socket));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      pause = kNoDescriptor;
    }
    pausing_ = true;
    pause_->at(loop_.now() + pause, [this] {
      pausing_ = false;
      next();
    });
  }

  void next() {
    if (!waiting_ && !pausing_ && sessions_.size() < kMostClients) wait();
  }

  void serve(os::ScopedFd fd) {
    tcp::socket socket(io_);
    error_code failed;
    socket.assign(protocol_, fd.get(), failed);
    if (failed) return;
    fd.release();
    const auto session =
        std::make_shared<Session>(std::move(socket), text_, [this](const Session* closed) {
          std::erase_if(sessions_, [closed](const auto& one) { return one.get() == closed; });
          next();
        });
    sessions_.insert(session);
    session->start();
  }

  asio::io_context& io_;
  os::Loop& loop_;
  Text text_;
  tcp::acceptor listener_;
  tcp protocol_ = tcp::v4();
  std::unique_ptr<os::Timer> pause_;
  std::set<std::shared_ptr<Session>> sessions_;
  bool waiting_ = false;
  bool pausing_ = false;
};

HttpServer::HttpServer(asio::io_context& io, os::Loop& loop, Text text)
    : impl_(std::make_shared<Impl>(io, loop, std::move(text))) {}
HttpServer::~HttpServer() { impl_->stop(); }
Result<std::string> HttpServer::open(const Endpoint& endpoint) { return impl_->open(endpoint); }

}  // namespace ddp::metrics

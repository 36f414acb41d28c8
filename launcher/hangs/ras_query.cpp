#include "launcher/hangs/ras_query.hpp"

#include "common/utf8.hpp"

#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string_view>

namespace ddp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr auto kGreetingTime = 200ms;  // then another connection is tried as well
constexpr auto kGiveUpAfter = 2s;      // without a greeting
constexpr std::size_t kLongestLine = 1024;
constexpr std::size_t kChunk = std::size_t{16} << 10;
constexpr std::size_t kShownBytes = 80;

// For the rank that cannot answer RAS, less than the 5 s of NCCL's default: RAS waits once more
// so long for those that it did not suspect.
int timeout_seconds(core::TimePoint now, core::TimePoint deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(deadline - now);
  return static_cast<int>(std::clamp<std::int64_t>(left.count() / 4, 1, 5));
}

}  // namespace

std::vector<std::pair<std::string, std::uint16_t>> ras_endpoints(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return {};
  std::string host = address.substr(0, colon);
  const char* const begin = address.data() + colon + 1;
  const char* const end = address.data() + address.size();
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(begin, end, port);
  if (error != std::errc() || stop != end || port == 0) return {};
  if (host == "localhost") return {{"127.0.0.1", port}, {"::1", port}};
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  error_code failed;
  asio::ip::make_address(host, failed);
  if (failed) return {};
  return {{host, port}};
}

class RasQuery::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, core::TimePoint deadline, std::function<void(RasReply)> done)
      : io_(io), deadline_(deadline), done_(std::move(done)), retry_(io), end_(io) {}

  void start(const std::string& address) {
    for (const auto& [host, port] : ras_endpoints(address))
      endpoints_.emplace_back(asio::ip::make_address(host), port);
    if (endpoints_.empty()) {
      asio::post(io_, [self = shared_from_this()] {
        self->finish("the address in NCCL_RAS_ADDR is not numeric");
      });
      return;
    }
    give_up_ = std::min(std::chrono::steady_clock::now() + kGiveUpAfter, deadline_);
    end_.expires_at(deadline_);
    end_.async_wait([self = shared_from_this()](error_code cancelled) {
      if (!cancelled) self->finish(self->reached_ ? "no complete answer in time" : "");
    });
    connect();
  }

  void stop() {
    done_ = nullptr;
    close();
  }

 private:
  struct Connection {
    Connection(asio::io_context& io, std::size_t to) : socket(io), endpoint(to) {}
    tcp::socket socket;
    const std::size_t endpoint;
    std::string sent;
    asio::streambuf received{kLongestLine};
  };
  using Link = std::shared_ptr<Connection>;

  // A step on a connection. Once one has greeted, what the others were waiting for is no longer of
  // interest.
  template <class Step>
  auto on(const Link& link, Step step) {
    return [self = shared_from_this(), link, step](error_code failed, std::size_t size = 0) {
      if (self->done_ && (!self->greeted_ || self->greeted_ == link)) step(failed, size);
    };
  }

  // Those that were tried before stay open: a starved process may greet late.
  void connect() {
    const auto link = std::make_shared<Connection>(io_, endpoint_);
    links_.push_back(link);
    retry_.expires_after(kGreetingTime);
    retry_.async_wait([self = shared_from_this()](error_code cancelled) {
      // An expiry that was due together with the greeting can no longer be cancelled.
      if (!cancelled && self->done_ && !self->greeted_) self->again();
    });
    link->socket.async_connect(endpoints_[endpoint_],
                               on(link, [this, link](error_code refused, std::size_t) {
                                 if (!refused) return greet(link);
                                 // Once one was reached, the next is tried at the end of
                                 // kGreetingTime.
                                 if (!reached_ && link->endpoint == endpoint_) next_endpoint();
                               }));
  }

  void next_endpoint() {
    if (++endpoint_ < endpoints_.size()) return connect();
    finish({});
  }

  void again() {
    if (std::chrono::steady_clock::now() >= give_up_) return finish(reached_ ? "no greeting" : "");
    connect();
  }

  void greet(const Link& link) {
    reached_ = true;
    say(link, "CLIENT PROTOCOL 2", [this, link](std::string_view line) {
      if (!line.starts_with("SERVER PROTOCOL ")) return finish(not_ras(line));
      choose(link);
      const int seconds = timeout_seconds(std::chrono::steady_clock::now(), deadline_);
      say(link, "TIMEOUT " + std::to_string(seconds), [this, link](std::string_view accepted) {
        if (accepted != "OK") return finish(not_ras(accepted));
        // Either answer will do.
        say(link, "SET FORMAT json", [this](std::string_view) { ask(); });
      });
    });
  }

  void choose(const Link& link) {
    greeted_ = link;
    retry_.cancel();
    for (const auto& other : links_) {
      error_code ignored;
      if (other != link) other->socket.close(ignored);
    }
    links_ = {link};
  }

  // Sends a line and takes the one that answers it.
  template <class Answered>
  void say(const Link& link, std::string_view line, Answered answered) {
    send(link, line);
    asio::async_read_until(link->socket, link->received, '\n',
                           on(link, [this, link, answered](error_code failed, std::size_t size) {
                             if (failed && !greeted_ && failed != asio::error::not_found)
                               return;  // retry_ is armed
                             if (failed == asio::error::not_found)
                               return finish("a line that does not end");
                             if (failed) return finish("closed before it answered");
                             const auto data = link->received.data();  // iterators refer to it
                             const auto begin = asio::buffers_begin(data);
                             std::string text(begin, begin + static_cast<std::ptrdiff_t>(size) - 1);
                             link->received.consume(size);
                             if (text.ends_with('\r')) text.pop_back();
                             answered(std::string_view(text));
                           }));
  }

  void send(const Link& link, std::string_view line) {
    link->sent = std::string(line) + "\n";
    asio::async_write(link->socket, asio::buffer(link->sent),
                      on(link, [](error_code, std::size_t) {}));
  }

  void ask() {
    send(greeted_, "VERBOSE STATUS");
    const auto data = greeted_->received.data();
    answer_.assign(asio::buffers_begin(data), asio::buffers_end(data));
    read();
  }

  void read() {
    greeted_->socket.async_read_some(asio::buffer(chunk_),
                                     on(greeted_, [this](error_code failed, std::size_t size) {
                                       answer_.append(chunk_.data(), size);
                                       if (answer_.size() > kMostRasBytes) {
                                         answer_.resize(kMostRasBytes);
                                         return finish("cut off at 1 MiB");
                                       }
                                       if (!failed) return read();
                                       finish(failed == asio::error::eof ? "" : failed.message());
                                     }));
  }

  static std::string not_ras(std::string_view line) {
    return "not NCCL's RAS: " + as_utf8(line.substr(0, kShownBytes));
  }

  void finish(std::string problem) {
    close();
    if (answer_.empty() && problem.empty() && greeted_) problem = "closed without an answer";
    if (const auto done = std::exchange(done_, nullptr))
      done({std::move(answer_), std::move(problem)});
  }

  void close() {
    for (const auto& link : links_) {
      error_code ignored;
      link->socket.close(ignored);
    }
    retry_.cancel();
    end_.cancel();
  }

  asio::io_context& io_;
  const core::TimePoint deadline_;
  std::function<void(RasReply)> done_;
  asio::steady_timer retry_;
  asio::steady_timer end_;
  std::vector<tcp::endpoint> endpoints_;
  std::size_t endpoint_ = 0;
  core::TimePoint give_up_;
  std::vector<Link> links_;  // at most one for each kGreetingTime until give_up_
  bool reached_ = false;     // something listens
  Link greeted_;             // the one that has greeted
  std::array<char, kChunk> chunk_{};
  std::string answer_;
};

RasQuery::RasQuery(asio::io_context& io, const std::string& address, core::TimePoint deadline,
                   std::function<void(RasReply)> done)
    : impl_(std::make_shared<Impl>(io, deadline, std::move(done))) {
  impl_->start(address);
}
RasQuery::~RasQuery() { impl_->stop(); }

}  // namespace ddp

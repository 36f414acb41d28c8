#include "launcher/peers/peer_check.hpp"

#include "launcher/peers/layout.hpp"

#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace ddp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr auto kAnswerTime = 5s;
constexpr auto kFirstRetry = 100ms;
constexpr auto kLongestRetry = 5s;
constexpr auto kGiveUpAfter = 10min;
constexpr int kMostConnections = 64;

// One connection: sends the line of this machine and reads that of the other. The side that
// connected closes first, so that no state of the connection keeps the listener's port in use.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Nothing: the other did not send a layout in time.
  using Done = std::function<void(const std::optional<Layout>&)>;
  Exchange(tcp::socket socket, std::string line, bool closes_first)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        line_(std::move(line)),
        closes_first_(closes_first) {}

  void start(Done done) {
    done_ = std::move(done);
    const auto self = shared_from_this();
    timer_.expires_after(kAnswerTime);
    timer_.async_wait([self](error_code cancelled) {
      if (!cancelled) self->finish(std::nullopt);
    });
    asio::async_write(socket_, asio::buffer(line_), [self](error_code failed, std::size_t) {
      if (failed) self->finish(std::nullopt);
    });
    asio::async_read_until(socket_, received_, '\n', [self](error_code failed, std::size_t size) {
      if (failed) return self->finish(std::nullopt);
      const auto begin = asio::buffers_begin(self->received_.data());
      self->finish(read_layout(std::string(begin, begin + static_cast<std::ptrdiff_t>(size))));
    });
  }

  void close() {
    done_ = nullptr;
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void finish(const std::optional<Layout>& other) {
    const Done done = std::exchange(done_, nullptr);
    if (!other || closes_first_) {
      close();
    } else {
      socket_.async_read_some(asio::buffer(rest_), [self = shared_from_this()](
                                                       error_code, std::size_t) { self->close(); });
    }
    if (done) done(other);
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string line_;
  asio::streambuf received_{kLongestLayout};
  std::array<char, 1> rest_{};
  bool closes_first_;
  Done done_;
};

}  // namespace

class PeerCheck::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, Config config, Disagree disagree)
      : io_(io),
        config_(std::move(config)),
        disagree_(std::move(disagree)),
        acceptor_(io),
        socket_(io),
        timer_(io),
        own_{config_.ranks, config_.run_id.empty() ? "-" : config_.run_id, config_.launch_id},
        port_(peer_port(config_.master_port)) {}

  void start() {
    if (config_.ranks.nnodes < 2 || config_.addresses.empty()) return;
    give_up_ = std::chrono::steady_clock::now() + kGiveUpAfter;
    if (config_.ranks.node_rank == 0) {
      listen();
    } else {
      connect();
    }
  }

  void stop() {
    stopped_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    socket_.close(ignored);
    timer_.cancel();
    const auto open = std::exchange(exchanges_, {});
    for (const auto& one : open) one->close();
  }

 private:
  // At the address of rank 0; at all of them where it is not one of this machine's, or where its
  // name may mean another one elsewhere (127.0.1.1 in a Debian's /etc/hosts).
  void listen() {
    error_code failed;
    const auto address = asio::ip::make_address(config_.addresses.front(), failed);
    if (failed) return;
    const auto any = address.is_v6() ? tcp::v6() : tcp::v4();
    failed = bind(config_.is_name ? tcp::endpoint(any, port_) : tcp::endpoint(address, port_));
    if (failed == boost::system::errc::address_not_available) failed = bind({any, port_});
    if (!failed) return accept();
    // Another node 0, perhaps.
    give_up_ = {};
    if (failed == asio::error::address_in_use) connect();
  }

  error_code bind(const tcp::endpoint& endpoint) {
    error_code failed;
    acceptor_.open(endpoint.protocol(), failed);
    if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
    if (!failed) acceptor_.bind(endpoint, failed);
    if (!failed) acceptor_.listen(tcp::acceptor::max_listen_connections, failed);
    error_code ignored;
    if (failed) acceptor_.close(ignored);
    return failed;
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code failed, tcp::socket socket) {
      if (self->stopped_ || failed == asio::error::operation_aborted) return;
      if (!failed && std::ssize(self->exchanges_) < kMostConnections)
        self->exchange(std::move(socket), false);
      // Without descriptors accept fails at once, again and again.
      if (failed) return self->stop();
      self->accept();
    });
  }

  void connect() {
    error_code failed;
    const auto address =
        asio::ip::make_address(config_.addresses[attempts_++ % config_.addresses.size()], failed);
    if (failed) return retry();
    socket_ = tcp::socket(io_);
    socket_.async_connect({address, port_}, [self = shared_from_this()](error_code refused) {
      if (self->stopped_) return;
      self->timer_.cancel();
      if (refused) return self->retry();
      self->exchange(std::move(self->socket_), true);
    });
    // A filtered port answers after minutes.
    timer_.expires_after(kAnswerTime);
    timer_.async_wait([self = shared_from_this()](error_code cancelled) {
      error_code ignored;
      if (!cancelled) self->socket_.close(ignored);
    });
  }

  void retry() {
    if (stopped_ || std::chrono::steady_clock::now() >= give_up_) return;
    timer_.expires_after(wait_);
    wait_ = std::min<std::chrono::steady_clock::duration>(2 * wait_, kLongestRetry);
    timer_.async_wait([self = shared_from_this()](error_code cancelled) {
      if (!cancelled && !self->stopped_) self->connect();
    });
  }

  void exchange(tcp::socket socket, bool connected) {
    const auto one = std::make_shared<Exchange>(std::move(socket), layout_line(own_), connected);
    exchanges_.insert(one);
    one->start([self = shared_from_this(), key = one.get(), connected](const auto& other) {
      std::erase_if(self->exchanges_, [&](const auto& kept) { return kept.get() == key; });
      if (self->stopped_) return;
      if (connected) {
        self->compare_with_node_0(other);
      } else if (other) {
        self->compare(*other);
      }
    });
  }

  void compare_with_node_0(const std::optional<Layout>& node_0) {
    if (!node_0) return retry();
    const std::string what = disagreement(own_, *node_0);
    stop();
    if (!what.empty()) disagree_(what);
  }

  void compare(const Layout& other) {
    if (is_another_job(own_, other)) return;  // its mistake, which it reports
    std::string what = disagreement(own_, other);
    const auto [known, is_new] = reported_.try_emplace(other.ranks.node_rank, other);
    if (what.empty() && known->second.launch_id != other.launch_id)
      what = disagreement(known->second, other);
    if (!what.empty()) {
      disagree_(what);
    } else if (std::ssize(reported_) == own_.ranks.nnodes - 1) {
      stop();
    }
  }

  asio::io_context& io_;
  const Config config_;
  Disagree disagree_;
  tcp::acceptor acceptor_;
  tcp::socket socket_;  // that is being connected
  asio::steady_timer timer_;
  const Layout own_;
  const std::uint16_t port_;
  std::chrono::steady_clock::time_point give_up_;
  std::chrono::steady_clock::duration wait_ = kFirstRetry;
  std::size_t attempts_ = 0;
  std::set<std::shared_ptr<Exchange>> exchanges_;
  std::map<int, Layout> reported_;  // by node rank
  bool stopped_ = false;
};

PeerCheck::PeerCheck(asio::io_context& io, Config config, Disagree disagree)
    : impl_(std::make_shared<Impl>(io, std::move(config), std::move(disagree))) {}

PeerCheck::~PeerCheck() { impl_->stop(); }

void PeerCheck::start() { impl_->start(); }

std::uint16_t peer_port(std::uint16_t master_port) {
  constexpr int kDistance = 1000;
  const int port =
      master_port >= 1024 + kDistance ? master_port - kDistance : master_port + kDistance;
  return static_cast<std::uint16_t>(port);
}

}  // namespace ddp

#include "launcher/peers/peer_check.hpp"

#include "launcher/peers/layout.hpp"

#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <chrono>
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

// One connection: sends the line of this machine, reads that of the other, and closes.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Nothing: the other did not send a layout in time.
  using Done = std::function<void(std::optional<core::RankGroup>)>;
  Exchange(tcp::socket socket, std::string line)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), line_(std::move(line)) {}

  void start(Done done) {
    done_ = std::move(done);
    const auto self = shared_from_this();
    timer_.expires_after(kAnswerTime);
    timer_.async_wait([self](error_code failed) {
      if (!failed) self->finish(std::nullopt);
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

  void finish(std::optional<core::RankGroup> other) {
    if (!done_) return;
    timer_.cancel();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    std::exchange(done_, nullptr)(other);
  }

 private:
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string line_;
  asio::streambuf received_{kLongestLayout};
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
        port_(peer_port(config_.master_port)) {}

  void start() {
    if (config_.ranks.nnodes < 2 || config_.addresses.empty()) return;
    if (config_.ranks.node_rank == 0) {
      listen();
    } else {
      give_up_ = std::chrono::steady_clock::now() + kGiveUpAfter;
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
    for (const auto& one : open) one->finish(std::nullopt);
  }

 private:
  // At the address of rank 0, or at all of them where it is not one of this machine's.
  void listen() {
    error_code failed;
    auto address = asio::ip::make_address(config_.addresses.front(), failed);
    if (failed) return;
    if (!bind({address, port_}) && !bind({tcp::v4(), port_})) return;
    accept();
  }

  bool bind(const tcp::endpoint& endpoint) {
    error_code failed;
    acceptor_.open(endpoint.protocol(), failed);
    if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
    if (!failed) acceptor_.bind(endpoint, failed);
    if (!failed) acceptor_.listen(tcp::acceptor::max_listen_connections, failed);
    error_code ignored;
    if (failed) acceptor_.close(ignored);
    return !failed;
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code failed, tcp::socket socket) {
      if (self->stopped_ || failed == asio::error::operation_aborted) return;
      if (!failed && std::ssize(self->exchanges_) < kMostConnections)
        self->exchange(std::move(socket));
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
      self->exchange(std::move(self->socket_));
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

  void exchange(tcp::socket socket) {
    const auto one = std::make_shared<Exchange>(std::move(socket), layout_line(config_.ranks));
    exchanges_.insert(one);
    one->start([self = shared_from_this(), key = one.get()](auto other) {
      std::erase_if(self->exchanges_, [&](const auto& kept) { return kept.get() == key; });
      if (!self->stopped_) self->compare(other);
    });
  }

  void compare(const std::optional<core::RankGroup>& other) {
    if (!other) {
      if (config_.ranks.node_rank != 0) retry();
      return;
    }
    if (const std::string what = disagreement(config_.ranks, *other); !what.empty())
      return disagree_(what);
    reported_.insert(other->node_rank);
    // All others on node 0; elsewhere only node 0 is asked.
    if (config_.ranks.node_rank != 0 || std::ssize(reported_) == config_.ranks.nnodes - 1) stop();
  }

  asio::io_context& io_;
  const Config config_;
  Disagree disagree_;
  tcp::acceptor acceptor_;
  tcp::socket socket_;  // that is being connected
  asio::steady_timer timer_;
  const std::uint16_t port_;
  std::chrono::steady_clock::time_point give_up_;
  std::chrono::steady_clock::duration wait_ = kFirstRetry;
  std::size_t attempts_ = 0;
  std::set<std::shared_ptr<Exchange>> exchanges_;
  std::set<int> reported_;  // machines that have sent their layout
  bool stopped_ = false;
};

PeerCheck::PeerCheck(asio::io_context& io, Config config, Disagree disagree)
    : impl_(std::make_shared<Impl>(io, std::move(config), std::move(disagree))) {}

PeerCheck::~PeerCheck() { impl_->stop(); }

void PeerCheck::start() { impl_->start(); }

std::uint16_t peer_port(std::uint16_t master_port) {
  return master_port < 65535 ? static_cast<std::uint16_t>(master_port + 1) : 65534;
}

}  // namespace ddp

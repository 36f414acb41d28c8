// The dialogue with NCCL's RAS over a real connection. The server runs in the same event loop, so
// each test chooses what happens before what.
#include "launcher/hangs/ras_query.hpp"

#include <doctest/doctest.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <deque>
#include <istream>
#include <optional>
#include <string>

namespace {

using namespace ddp;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kLimit = 20s;  // of a step that comes at once, for a slow machine

// Accepts whatever connects, and never answers of itself.
class Server {
 public:
  Server() { accept(); }

  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  std::size_t connections() const { return connections_.size(); }

  template <class Condition>
  void run_until(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + kLimit;
    while (!condition()) {
      REQUIRE(std::chrono::steady_clock::now() < limit);
      io.restart();
      io.run_one_for(100ms);
    }
  }

  void send(std::size_t connection, const std::string& text) {
    asio::write(connections_.at(connection), asio::buffer(text));
  }
  void close(std::size_t connection) { connections_.at(connection).close(); }

  // The next line from the client.
  std::string line(std::size_t connection) {
    auto& socket = connections_.at(connection);
    asio::streambuf buffer;
    std::optional<bool> arrived;
    asio::async_read_until(
        socket, buffer, '\n',
        [&](boost::system::error_code failed, std::size_t) { arrived = !failed; });
    run_until([&] { return arrived.has_value(); });
    std::istream stream(&buffer);
    std::string text;
    std::getline(stream, text);
    return text;
  }

  asio::io_context io;

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code failed, tcp::socket socket) {
      if (failed) return;
      connections_.push_back(std::move(socket));
      accept();
    });
  }

  tcp::acceptor acceptor_{io, {asio::ip::address_v4::loopback(), 0}};
  std::deque<tcp::socket> connections_;
};

// Asks it; the limit is far off, so that only what a test does ends it.
struct Query {
  explicit Query(Server& server)
      : query(server.io, server.address(), std::chrono::steady_clock::now() + kLimit,
              [this](RasReply got) { reply = std::move(got); }) {}
  std::optional<RasReply> reply;
  RasQuery query;
};

// The dialogue after the greeting, with an answer at its end.
void serve(Server& server, std::size_t connection) {
  CHECK(server.line(connection).starts_with("TIMEOUT "));
  server.send(connection, "OK\n");
  CHECK(server.line(connection) == "SET FORMAT json");
  server.send(connection, "OK\n");
  CHECK(server.line(connection) == "VERBOSE STATUS");
  server.send(connection, "the answer");
  server.close(connection);
}

}  // namespace

TEST_CASE("a greeting that comes late, when another connection was tried, is taken") {
  Server server;
  Query query(server);
  server.run_until([&] { return server.connections() == 3; });
  CHECK(server.line(0) == "CLIENT PROTOCOL 2");
  server.send(0, "SERVER PROTOCOL 2\n");
  serve(server, 0);
  server.run_until([&] { return query.reply.has_value(); });
  CHECK(query.reply->answer == "the answer");
  CHECK(query.reply->problem.empty());
}

TEST_CASE("a connection that closes without a greeting does not end the others") {
  Server server;
  Query query(server);
  server.run_until([&] { return server.connections() == 2; });
  server.close(0);
  CHECK(server.line(1) == "CLIENT PROTOCOL 2");
  server.send(1, "SERVER PROTOCOL 2\n");
  serve(server, 1);
  server.run_until([&] { return query.reply.has_value(); });
  CHECK(query.reply->answer == "the answer");
}

TEST_CASE("a greeting that is due together with the next attempt is kept") {
  Server server;
  Query query(server);
  server.run_until([&] { return server.connections() == 1; });
  CHECK(server.line(0) == "CLIENT PROTOCOL 2");
  server.send(0, "SERVER PROTOCOL 2\n");
  // The loop does not run for longer than an attempt takes: it finds both to do.
  asio::io_context other;
  asio::steady_timer(other, 300ms).wait();
  serve(server, 0);
  server.run_until([&] { return query.reply.has_value(); });
  CHECK(query.reply->answer == "the answer");
  CHECK(server.connections() == 1);
}

TEST_CASE("a silent RAS is given up, one that closes after the greeting at once") {
  Server server;
  Query query(server);
  SUBCASE("silent") {
    server.run_until([&] { return query.reply.has_value(); });
    CHECK(query.reply->problem == "no greeting");
    CHECK(server.connections() > 2);
  }
  SUBCASE("closes") {
    server.run_until([&] { return server.connections() == 2; });
    server.send(1, "SERVER PROTOCOL 2\n");
    CHECK(server.line(1) == "CLIENT PROTOCOL 2");
    CHECK(server.line(1).starts_with("TIMEOUT "));
    server.close(1);
    server.run_until([&] { return query.reply.has_value(); });
    CHECK(query.reply->problem == "closed before it answered");
  }
}

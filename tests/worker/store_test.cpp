#include "common/duration_text.hpp"
#include "tests/support/reserved_port.hpp"
#include "worker/base/failure.hpp"
#include "worker/store/client.hpp"
#include "worker/store/server.hpp"

#include <doctest/doctest.h>

#include <barrier>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace ddp::worker;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

const std::string kHost = "127.0.0.1";
constexpr milliseconds kLong = 20s;

wire::Hello hello(int rank, int world = 3, int generation = 1, std::string run = "r") {
  return {rank, world, generation, std::move(run)};
}

// The message of the Failure that `work` ends with.
template <class Work>
std::string failure(Work&& work) {
  try {
    work();
  } catch (const Failure& error) {
    return error.what();
  }
  return "no failure";
}

// The message has the last answer. On a machine that is too busy for any answer, tries a longer
// limit.
void check_times_out(const wire::Hello& self, std::uint16_t port, const std::string& last_answer) {
  std::string message;
  std::string expected;
  for (milliseconds limit = 100ms; limit < kLong; limit *= 4) {
    const auto begin = Clock::now();
    message = failure([&] { StoreClient(self, kHost, port, limit); });
    CHECK(Clock::now() - begin < limit + 10s);
    expected = "waited " + ddp::seconds_text(limit) +
               " for rank 0's store at 127.0.0.1:" + std::to_string(port) + ": " + last_answer;
    if (message == expected) break;
  }
  CHECK(message == expected);
}

}  // namespace

TEST_CASE("ranks join and share values") {
  StoreServer server(hello(0), kHost, 0);
  std::barrier all_read(3);  // no rank leaves before all have read
  std::vector<std::future<std::string>> ranks;
  for (int rank = 0; rank < 3; ++rank) {
    ranks.push_back(std::async(std::launch::async, [&, rank] {
      StoreClient store(hello(rank), kHost, server.port(), kLong);
      store.join(kLong);
      store.set("from " + std::to_string(rank), std::string(100000, static_cast<char>('a' + rank)));
      std::string seen;
      for (int other = 0; other < 3; ++other)
        seen += store.get("from " + std::to_string(other), kLong).substr(0, 1);
      all_read.arrive_and_wait();
      return seen + store.local_address();
    }));
  }
  for (auto& rank : ranks) CHECK(rank.get() == "abc127.0.0.1");
}

TEST_CASE("a wait that times out names the missing ranks") {
  StoreServer server(hello(0, 12), kHost, 0);
  StoreClient zero(hello(0, 12), kHost, server.port(), kLong);
  StoreClient two(hello(2, 12), kHost, server.port(), kLong);
  CHECK(failure([&] { zero.join(30ms); }) ==
        "waited 30 ms for ranks 1, 3, 4, 5, 6, 7, 8, 9 and 2 more to join");
  CHECK(failure([&] { two.get("the key", 20ms); }) == "waited 20 ms for 'the key'");
  // The connection is as good as before.
  zero.set("the key", "x");
  CHECK(two.get("the key", kLong) == "x");
}

TEST_CASE("a rank that joined and left is distinguished from one that never joined") {
  StoreServer server(hello(0), kHost, 0);
  StoreClient zero(hello(0), kHost, server.port(), kLong);
  { StoreClient one(hello(1), kHost, server.port(), kLong); }
  CHECK(failure([&] { zero.join(50ms); }) ==
        "waited 50 ms for ranks 1, 2 to join; rank 1 had joined and left");
  StoreClient again(hello(1), kHost, server.port(), kLong);
  CHECK(failure([&] { zero.join(20ms); }) == "waited 20 ms for rank 2 to join");
}

TEST_CASE("the first rank that leaves a complete group is reported to every waiting rank") {
  StoreServer server(hello(0), kHost, 0);
  StoreClient zero(hello(0), kHost, server.port(), kLong);
  auto leaver = std::async(std::launch::async, [&] { return zero.wait_for_leaver(); });
  {
    StoreClient early(hello(2), kHost, server.port(),
                      kLong);  // leaves a group that is not complete
  }
  StoreClient one(hello(1), kHost, server.port(), kLong);
  // Its place is free only once the server has seen it go.
  auto two = std::make_unique<StoreClient>(hello(2), kHost, server.port(), kLong);
  two->join(kLong);
  auto late = std::async(std::launch::async, [&] { return one.wait_for_leaver(); });
  two.reset();
  CHECK(leaver.get() == "rank 2");
  CHECK(late.get() == "rank 2");
  one.interrupt();
  CHECK(zero.wait_for_leaver() == "rank 2");  // and stays so
}

TEST_CASE("a wait for a leaver ends with the store, and when it is interrupted") {
  auto server = std::make_unique<StoreServer>(hello(0, 2), kHost, 0);
  StoreClient zero(hello(0, 2), kHost, server->port(), kLong);
  StoreClient one(hello(1, 2), kHost, server->port(), kLong);
  auto leaver = std::async(std::launch::async, [&] { return one.wait_for_leaver(); });
  auto interrupted = std::async(std::launch::async, [&] { return zero.wait_for_leaver(); });
  server.reset();
  CHECK(leaver.get() == "rank 0");
  CHECK(interrupted.get() == "rank 0");

  server = std::make_unique<StoreServer>(hello(0, 2), kHost, 0);
  StoreClient again(hello(0, 2), kHost, server->port(), kLong);
  auto waiting = std::async(std::launch::async, [&] { return again.wait_for_leaver(); });
  again.interrupt();
  waiting.get();
}

TEST_CASE("a rank that does not belong to the run is refused with the reason") {
  StoreServer server(hello(0), kHost, 0);
  const auto attempt = [&](const wire::Hello& self) {
    return failure([&] { StoreClient(self, kHost, server.port(), kLong); });
  };
  CHECK(attempt(hello(1, 3, 0)) ==
        "cannot join: the store there serves generation 1 of run 'r', not generation 0 of run 'r'");
  CHECK(attempt(hello(1, 3, 1, "other")) ==
        "cannot join: the store there serves generation 1 of run 'r', not generation 1 of run "
        "'other'");
  CHECK(attempt(hello(1, 4)) == "cannot join: rank 0 has WORLD_SIZE 3, this rank 4");
  CHECK(attempt(hello(3)) == "cannot join: RANK 3 is not in a world of 3");
  StoreClient one(hello(1), kHost, server.port(), kLong);
  CHECK(attempt(hello(1)) == "cannot join: another worker has joined as rank 1 already");
}

TEST_CASE("a later attempt waits for the old store to exit, and reports what it waited for") {
  const ddp::test::ReservedPort port;
  auto server = std::make_unique<StoreServer>(hello(0), kHost, port.number());
  check_times_out(hello(1, 3, 2), port.number(),
                  "the store there serves generation 1 of run 'r', not generation 2 of run 'r'");

  auto later = std::async(std::launch::async, [&] {
    return failure([&] { StoreClient(hello(1, 2, 2), kHost, port.number(), kLong); });
  });
  server.reset();
  server = std::make_unique<StoreServer>(hello(0, 2, 2), kHost, port.number());
  CHECK(later.get() == "no failure");
}

TEST_CASE("without a store, connecting fails within the time limit") {
  const ddp::test::ReservedPort port;
  check_times_out(hello(1), port.number(), "Connection refused");
}

TEST_CASE("an occupied port is reported") {
  StoreServer first(hello(0, 2), kHost, 0);
  const std::uint16_t taken = first.port();
  CHECK(failure([&] { StoreServer(hello(0, 2), kHost, taken); }) ==
        "the store cannot listen at 127.0.0.1:" + std::to_string(taken) +
            ": Address already in use");
}

TEST_CASE("garbage closes only its own connection") {
  StoreServer server(hello(0, 2), kHost, 0);
  StoreClient zero(hello(0, 2), kHost, server.port(), kLong);
  const std::string greeting = wire::encode(hello(1, 2));
  const std::vector<std::string> garbage{
      std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),  // its length is out of bounds
      std::string("\xff\xff\xff\xff", 4),
      std::string("\x00\x00\x00\x00", 4),  // an empty frame is no hello
      std::string("\x05\x00\x00\x00hello", 9),
      greeting + std::string("\x01\x00\x00\x00\x09", 5),  // let in, then an unknown operation
      greeting + std::string("\x02\x00\x00\x00\x01\x01", 6)};
  for (const std::string& bytes : garbage) {
    CAPTURE(bytes);
    std::string why;
    auto socket = try_connect(kHost, server.port(), Clock::now() + kLong, why);
    REQUIRE(socket);
    REQUIRE(send_all(*socket, bytes, Clock::now() + kLong) == Io::done);
    // Whatever was answered, then the end.
    char byte = 0;
    Io io = Io::done;
    while (io == Io::done) io = receive_exactly(*socket, &byte, 1, Clock::now() + kLong);
    CHECK(io == Io::closed);
  }
  zero.set("still", "here");
  CHECK(zero.get("still", kLong) == "here");
}

TEST_CASE("a client outlives its server with a clear error") {
  auto server = std::make_unique<StoreServer>(hello(0, 2), kHost, 0);
  StoreClient one(hello(1, 2), kHost, server->port(), kLong);
  server.reset();
  CHECK(failure([&] { one.join(kLong); }) ==
        "rank 0's store has closed the connection: rank 0 is gone");
}

TEST_CASE("ranks are named as people write them") {
  CHECK(name_ranks({3}) == "rank 3");
  CHECK(name_ranks({2, 3}) == "ranks 2, 3");
}

#include "worker/store/wire.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>

using namespace ddp::worker::wire;

namespace {
std::string_view body(const std::string& frame) {
  return std::string_view(frame).substr(kLengthSize);
}
}  // namespace

TEST_CASE("messages survive the wire") {
  const std::string bytes("\0\xff text", 7);
  const std::string greeting = encode(Hello{-1, 70000, 3, bytes});
  CHECK(frame_length(greeting.data()) == greeting.size() - kLengthSize);
  const auto hello = decode_hello(body(greeting));
  REQUIRE(hello);
  CHECK(hello->rank == -1);
  CHECK(hello->world_size == 70000);
  CHECK(hello->generation == 3);
  CHECK(hello->run_id == bytes);

  const std::string question = encode(Request{Operation::get, "key", 4000000000u, bytes});
  const auto request = decode_request(body(question));
  REQUIRE(request);
  CHECK(request->operation == Operation::get);
  CHECK(request->key == "key");
  CHECK(request->timeout_ms == 4000000000u);
  CHECK(request->value == bytes);

  const std::string answer = encode(Reply{Status::timed_out, bytes});
  const auto reply = decode_reply(body(answer));
  REQUIRE(reply);
  CHECK(reply->status == Status::timed_out);
  CHECK(reply->text == bytes);
}

TEST_CASE("every cut or lengthened message is refused") {
  const std::string hello = encode(Hello{1, 2, 0, "run"});
  const std::string request = encode(Request{Operation::set, "key", 5, "value"});
  const std::string reply = encode(Reply{Status::ok, "value"});
  for (std::size_t size = 0; size < body(hello).size(); ++size)
    CHECK_FALSE(decode_hello(body(hello).substr(0, size)));
  for (std::size_t size = 0; size < body(request).size(); ++size)
    CHECK_FALSE(decode_request(body(request).substr(0, size)));
  for (std::size_t size = 0; size < body(reply).size(); ++size)
    CHECK_FALSE(decode_reply(body(reply).substr(0, size)));
  CHECK_FALSE(decode_hello(std::string(body(hello)) + 'x'));
  CHECK_FALSE(decode_request(std::string(body(request)) + 'x'));
  CHECK_FALSE(decode_reply(std::string(body(reply)) + 'x'));
}

TEST_CASE("random bytes do no harm") {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 8 == 0 ? random() : random() % 4);
    if (const auto request = decode_request(bytes))
      CHECK(std::string(body(encode(*request))) == bytes);
    if (const auto reply = decode_reply(bytes)) CHECK(std::string(body(encode(*reply))) == bytes);
    CHECK_FALSE(decode_hello(bytes));
  }
}

// The store's protocol. Little-endian; every message is a frame: a 32-bit length, then that many
// bytes.
//
//   client: hello   "DDPS" u32 version, i32 rank, i32 world size, i32 generation, text run id
//   server: reply   u8 status, text      ok, or why the rank is refused
//   client: request u8 operation, text key, u32 timeout in ms, text value
//   server: reply   u8 status, text      the value, or one line that says what failed
//
// A text is a 32-bit length and its bytes. A request is answered before the next one is sent. The
// run id and the generation keep a rank of an earlier attempt, which may use the same address, from
// joining this one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ddp::worker::wire {

inline constexpr std::uint32_t kVersion = 1;
// A connection with a larger frame is closed. Gloo's largest value is a rank's list of addresses,
// about 140 bytes for each rank.
inline constexpr std::uint32_t kFrameLimit = 16u << 20;
inline constexpr std::size_t kLengthSize = 4;

// A key that the server sets when all ranks had joined and one has left: "rank 2".
inline constexpr std::string_view kFirstToLeave = "the first rank that left";

struct Hello {
  std::int32_t rank = 0;
  std::int32_t world_size = 1;
  std::int32_t generation = 0;
  std::string run_id;
};

enum class Operation : std::uint8_t {
  set = 1,  // key, value
  get,      // key; answered once it is set
  join      // answered once every rank has joined
};

struct Request {
  Operation operation = Operation::set;
  std::string key;
  std::uint32_t timeout_ms = 0;
  std::string value;
};

enum class Status : std::uint8_t {
  ok,
  timed_out,  // the time of the request passed
  refused,    // final: the request contradicts what the store serves
  retry       // the store serves an earlier attempt and will soon be gone
};

struct Reply {
  Status status = Status::ok;
  std::string text;
};

// Encode whole frames, with the length.
std::string encode(const Hello& hello);
std::string encode(const Request& request);
std::string encode(const Reply& reply);

std::uint32_t frame_length(const char* four_bytes);
// Decode the body of a frame; nullopt for anything that is not exactly such a message.
std::optional<Hello> decode_hello(std::string_view body);
std::optional<Request> decode_request(std::string_view body);
std::optional<Reply> decode_reply(std::string_view body);

}  // namespace ddp::worker::wire

#include "worker/store/wire.hpp"

namespace ddp::worker::wire {
namespace {

constexpr std::string_view kMagic = "DDPS";

class Writer {
 public:
  void u32(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      out_.push_back(static_cast<char>((value >> shift) & 0xffu));
  }
  void i32(std::int32_t value) { u32(static_cast<std::uint32_t>(value)); }
  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void raw(std::string_view bytes) { out_ += bytes; }
  void text(std::string_view bytes) {
    u32(static_cast<std::uint32_t>(bytes.size()));
    out_ += bytes;
  }
  std::string frame() const {
    Writer length;
    length.text(out_);
    return length.out_;
  }

 private:
  std::string out_;
};

// Reads past the end return zeros and clear `good`, so that one check at the end is enough.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  std::string_view raw(std::size_t size) {
    if (size > in_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }
  std::uint32_t u32() {
    const std::string_view bytes = raw(4);
    return bytes.empty() ? 0 : frame_length(bytes.data());
  }
  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }
  std::uint8_t u8() {
    const std::string_view byte = raw(1);
    return byte.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(byte[0]);
  }
  std::string text() { return std::string(raw(u32())); }
  bool whole() const { return good_ && in_.empty(); }

 private:
  std::string_view in_;
  bool good_ = true;
};

}  // namespace

std::uint32_t frame_length(const char* four_bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = (value << 8) | static_cast<std::uint8_t>(four_bytes[i]);
  return value;
}

std::string encode(const Hello& hello) {
  Writer out;
  out.raw(kMagic);
  out.u32(kVersion);
  out.i32(hello.rank);
  out.i32(hello.world_size);
  out.i32(hello.generation);
  out.text(hello.run_id);
  return out.frame();
}

std::string encode(const Request& request) {
  Writer out;
  out.u8(static_cast<std::uint8_t>(request.operation));
  out.text(request.key);
  out.u32(request.timeout_ms);
  out.text(request.value);
  return out.frame();
}

std::string encode(const Reply& reply) {
  Writer out;
  out.u8(static_cast<std::uint8_t>(reply.status));
  out.text(reply.text);
  return out.frame();
}

std::optional<Hello> decode_hello(std::string_view body) {
  Reader in(body);
  if (in.raw(kMagic.size()) != kMagic || in.u32() != kVersion) return std::nullopt;
  Hello hello;
  hello.rank = in.i32();
  hello.world_size = in.i32();
  hello.generation = in.i32();
  hello.run_id = in.text();
  if (!in.whole()) return std::nullopt;
  return hello;
}

std::optional<Request> decode_request(std::string_view body) {
  Reader in(body);
  Request request;
  const std::uint8_t operation = in.u8();
  request.operation = static_cast<Operation>(operation);
  request.key = in.text();
  request.timeout_ms = in.u32();
  request.value = in.text();
  if (!in.whole() || operation < static_cast<std::uint8_t>(Operation::set) ||
      operation > static_cast<std::uint8_t>(Operation::join))
    return std::nullopt;
  return request;
}

std::optional<Reply> decode_reply(std::string_view body) {
  Reader in(body);
  Reply reply;
  const std::uint8_t status = in.u8();
  reply.status = static_cast<Status>(status);
  reply.text = in.text();
  if (!in.whole() || status > static_cast<std::uint8_t>(Status::retry)) return std::nullopt;
  return reply;
}

}  // namespace ddp::worker::wire

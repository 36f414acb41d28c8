// A 128-bit digest (XXH3) of parameters and checkpoints. It detects damage, not attacks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ddp::worker {

using Digest = std::array<std::uint64_t, 2>;  // high, low

Digest digest_of(std::span<const std::byte> bytes);

// The same digest of bytes that come in pieces.
class DigestStream {
 public:
  DigestStream();
  ~DigestStream();
  DigestStream(const DigestStream&) = delete;
  DigestStream& operator=(const DigestStream&) = delete;
  void add(std::span<const std::byte> bytes);
  Digest value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string to_text(const Digest& digest);  // 32 hexadecimal digits

}  // namespace ddp::worker

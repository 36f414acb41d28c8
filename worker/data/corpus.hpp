// Room: worker/data. The training text and the samples of each rank.
// Includes: worker/base. Included by: worker, worker/checkpoint.
//
// The bytes to train on: whole files, with the end of each held out for validation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ddp::worker {

// One range of bytes. Sample i is the context [i, i + K) and the byte that follows it.
class Text {
 public:
  Text(std::vector<std::uint8_t> bytes, std::size_t context);
  std::size_t samples() const;  // 0 when shorter than a context and its target
  std::size_t bytes() const { return bytes_.size(); }
  std::span<const std::uint8_t> all() const { return bytes_; }
  std::span<const std::uint8_t> context_of(std::size_t sample) const;
  std::uint8_t target_of(std::size_t sample) const { return bytes_[sample + context_]; }

  // The bits per byte of a model that knows only how often each byte occurs.
  double order0_entropy() const;

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t context_;
};

struct Corpus {
  Text training;
  Text validation;
};

// Reads `files` in order. The last part of each, `held_out` (0 to 0.5), is for validation. Throws
// Failure with the file and the reason when one is missing, unreadable, empty or no regular file,
// or when too little is left to train on.
Corpus read_corpus(const std::vector<std::string>& files, std::size_t context, double held_out);

}  // namespace ddp::worker

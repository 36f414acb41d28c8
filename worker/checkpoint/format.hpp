// A checkpoint's bytes: a safetensors file (github.com/huggingface/safetensors), so that other
// programs can read it. Tensors are named as Layout's segments, with first_moment/ or
// second_moment/ in front for AdamW's state; the metadata holds the rest.
#pragma once

#include "worker/model/engine.hpp"
#include "worker/model/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ddp::worker {

// What a run must have in common with a checkpoint to continue from it: the flag or fact, and its
// value as text. Ordered; compared element by element.
using Configuration = std::vector<std::pair<std::string, std::string>>;

struct Progress {
  std::int64_t step = 0;              // steps done
  std::int64_t sampler_position = 0;  // samples drawn, over all ranks
};

// The file's beginning: length and JSON header; the state's tensors follow, as pieces() gives them.
std::string encode_header(const Layout& layout, const Progress& progress,
                          const Configuration& configuration);
// The tensors' bytes in the order of the header.
std::vector<std::span<const std::byte>> pieces(const Layout& layout, const TrainingState& state);

// Why a file is refused.
struct Refusal {
  std::string reason;
};

// Reads a whole file back. Throws Refusal when it is no checkpoint of this worker, is damaged, or
// differs from `expected` ("was made with --hidden 128, not 256").
Progress decode(const Layout& layout, const Configuration& expected,
                std::span<const std::byte> file, TrainingState& state);

}  // namespace ddp::worker

// The file format of a checkpoint: safetensors (github.com/huggingface/safetensors), which other
// programs can read. Tensors have the names of Layout's segments, with first_moment/ or
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

// The settings that must be equal for a run to continue from a checkpoint: each name with its value
// as text. Ordered, and compared element by element.
using Configuration = std::vector<std::pair<std::string, std::string>>;

struct Progress {
  std::int64_t step = 0;              // steps done
  std::int64_t sampler_position = 0;  // samples drawn, over all ranks
};

// The start of the file: length and JSON header. The tensors follow, as pieces() returns them.
std::string encode_header(const Layout& layout, const Progress& progress,
                          const Configuration& configuration);
// The bytes of the tensors in the order of the header.
std::vector<std::span<const std::byte>> pieces(const Layout& layout, const TrainingState& state);

// Why a file is rejected.
struct Refusal {
  std::string reason;
};

// Reads a whole file. Throws Refusal when it is not a checkpoint of this worker, is damaged, or
// differs from `expected` ("was made with --hidden 128, not 256").
Progress decode(const Layout& layout, const Configuration& expected,
                std::span<const std::byte> file, TrainingState& state);

}  // namespace ddp::worker

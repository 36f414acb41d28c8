#pragma once

namespace ddp::worker {

inline constexpr int kVocabulary = 256;  // bytes

}  // namespace ddp::worker

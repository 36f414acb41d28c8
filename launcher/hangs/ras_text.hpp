// The text answer of NCCL's RAS (launcher/hangs/ras_answer.hpp), and what both formats share.
#pragma once

#include "common/result.hpp"
#include "launcher/core/ras.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ddp {

Result<std::vector<core::RasCommunicator>> parse_ras_text(std::string_view text);

// The error of what is something else.
Error not_a_ras_answer();

// The most kinds of operations of a communicator that are kept; NCCL has five.
inline constexpr std::size_t kMostRasOperations = 16;

// A name or a hash for a message: its letters and digits, at most 32.
std::string ras_word(std::string_view text);

// That of the most ranks first; of two alike, the one with more operations.
void order_ras_counts(core::RasMismatch& mismatch);

}  // namespace ddp

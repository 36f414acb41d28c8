// The answer of NCCL's RAS to "VERBOSE STATUS", read. Pure.
//
// NCCL 2.28.7 and later answer in JSON (their rasDumpCommsToJSON), earlier ones in text for people
// (rasClientRunComms), of which the sections on communicators are read: "#0-0 (<hash>) INCOMPLETE",
// ERROR and MISMATCH. Both formats: src/ras/client_support.cc of NCCL.
#pragma once

#include "common/result.hpp"
#include "launcher/core/ras.hpp"

#include <string_view>
#include <vector>

namespace ddp {

// The most communicators, and ranks of one in each list, that are kept: a hostile answer costs
// little.
inline constexpr std::size_t kMostCommunicators = 256;
inline constexpr std::size_t kMostRasRanks = 4096;

// Whether the answer is read as JSON: blanks may precede it.
bool is_ras_json(std::string_view answer);

// Text: only the communicators that are conspicuous, as RAS lists no others. Global ranks are not
// filled in. An error: not an answer of RAS, or not all of one.
Result<std::vector<core::RasCommunicator>> parse_ras_answer(std::string_view answer);

}  // namespace ddp

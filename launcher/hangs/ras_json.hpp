// The JSON answer of NCCL's RAS (launcher/hangs/ras_answer.hpp).
#pragma once

#include "common/result.hpp"
#include "launcher/core/ras.hpp"

#include <string_view>
#include <vector>

namespace ddp {

Result<std::vector<core::RasCommunicator>> parse_ras_json(std::string_view json);

}  // namespace ddp

// The file that TORCHELASTIC_ERROR_FILE names: what a rank writes there about the exception that
// ends it, as torch.distributed.elastic.multiprocessing.errors.record does. Pure.
//
//   {"message": {"message": "ValueError: bad data",
//                "extraInfo": {"py_callstack": "Traceback (most recent call last):\n…",
//                              "timestamp": "1700000000"}}}
//   {"message": "bad data"}
#pragma once

#include "launcher/core/exception.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ddp {

// A larger file is not read.
inline constexpr std::size_t kErrorFileBytes = std::size_t{256} * 1024;

// None: the file is malformed, incomplete or has another form. Any bytes may be given.
std::optional<core::RankException> parse_error_file(std::string_view json);

// The same form, for the launcher above this one. `exit_code` is what torchrun adds as errorCode:
// the rank's exit code, or the negative number of the signal that killed it.
std::string error_file_text(const core::RankException& exception, int exit_code,
                            long long seconds_since_epoch);

}  // namespace ddp

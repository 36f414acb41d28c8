// Signatures as TOML (docs/diagnosis.md, "Your own signatures").
#pragma once

#include "common/result.hpp"
#include "launcher/diagnosis/signature.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ddp::diagnosis {

// The built-in file, as it is in the repository.
extern const std::string_view kBuiltInText;

// The error names `path`, the line and the column, what is wrong and what is allowed. A sample that
// its own signature does not match is an error.
Result<std::vector<Signature>> parse_signatures(std::string_view text, const std::string& path);
Result<std::vector<Signature>> read_signatures(const std::string& path);

// Without their samples. Parsed anew by each call, in 2 to 3 ms.
std::vector<Signature> built_in_signatures();

}  // namespace ddp::diagnosis

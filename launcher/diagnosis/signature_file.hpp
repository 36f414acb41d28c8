// Signatures as TOML (docs/diagnosis.md, "Your own signatures").
#pragma once

#include "common/result.hpp"
#include "launcher/diagnosis/match.hpp"
#include "launcher/diagnosis/signature.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::diagnosis {

struct SignatureMemory;

struct SignatureFile {
  std::vector<Signature> signatures;
  std::vector<std::vector<Sample>> samples;       // of each
  std::shared_ptr<const SignatureMemory> memory;  // what the signatures refer to
};

// The error names `path`, the line and the column, what is wrong and what is allowed. A sample that
// its own signature does not match is an error.
Result<SignatureFile> parse_signatures(std::string_view text, const std::string& path);
Result<SignatureFile> read_signatures(const std::string& path);

}  // namespace ddp::diagnosis

// Files of signatures (--diagnose), and lines against what they hold.
#include "common/faults/line_pattern.hpp"
#include "launcher/diagnosis/match.hpp"
#include "launcher/diagnosis/signature_file.hpp"
#include "tests/fuzz/fuzz.hpp"

// An expression that is found in a line without its literal would be passed over.
static void literal_is_required(const ddp::diagnosis::LineCondition& condition,
                                const std::string& line) {
  if (condition.expression.empty()) return;
  const auto pattern = ddp::LinePattern::compile(std::string(condition.expression));
  ddp::fuzz::require(static_cast<bool>(pattern), "an accepted expression compiles again");
  if (pattern->found_in(line))
    ddp::fuzz::require(line.find(condition.literal) != std::string_view::npos,
                       "a line that matches contains the literal");
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ddp::diagnosis;
  const auto text = ddp::fuzz::text_of(data, size);
  const auto parsed = parse_signatures(text, "signatures.toml");
  if (!parsed) {
    ddp::fuzz::require_one_line(parsed.error(), "");
    ddp::fuzz::require(parsed.error().rfind("signatures.toml", 0) == 0,
                       "an error begins with the file");
    return 0;
  }
  const std::string line(text);  // AddressSanitizer's regexec reads up to a NUL
  for (std::size_t i = 0; i < parsed->signatures.size(); ++i) {
    const auto& one = parsed->signatures[i];
    std::string evidence;
    bool from_kernel = false;
    for (const auto& sample : parsed->samples[i])
      ddp::fuzz::require(matches(one, facts_of(one, sample), evidence, from_kernel),
                         "an accepted sample matches");
    for (const auto& condition : one.lines) literal_is_required(condition, line);
  }
  const Facts facts{ddp::core::Exited{1}, {line}, {}, {}};
  (void)diagnose(parsed->signatures, facts, [] { return std::vector<Witness>{}; });
  return 0;
}

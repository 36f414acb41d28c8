// Files of signatures (--diagnose), and lines against what they hold.
#include "launcher/diagnosis/match.hpp"
#include "launcher/diagnosis/signature_file.hpp"
#include "tests/fuzz/fuzz.hpp"

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
  for (const auto& one : *parsed) {
    std::string evidence;
    bool from_kernel = false;
    for (const auto& sample : one.samples)
      ddp::fuzz::require(matches(one, facts_of(one, sample), evidence, from_kernel),
                         "an accepted sample matches");
  }
  const Facts facts{ddp::core::Exited{1}, {std::string(text)}, {}, {}};
  (void)diagnose(*parsed, facts, [] { return std::vector<Witness>{}; });
  return 0;
}

// Fault specs: first byte, the world size; the rest, the spec. What is accepted must survive being
// written and read again.
#include "common/faults/spec.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = ddp::fuzz::text_of(data, size);
  const int world = ddp::fuzz::take_count(text);
  const auto spec = ddp::fault::parse(text, world);
  if (!spec) {
    ddp::fuzz::require_one_line(spec.error(), text);
    ddp::fuzz::require(spec.error().rfind("column ", 0) == 0, "an error begins with the column");
    return 0;
  }
  const std::string written = ddp::fault::format(*spec);
  const auto again = ddp::fault::parse(written, world);
  ddp::fuzz::require(static_cast<bool>(again), "what was written can be read");
  ddp::fuzz::require(*again == *spec, "parse(format(spec)) == spec");
  ddp::fuzz::require(ddp::fault::format(*again) == written, "there is one canonical form");
  return 0;
}

// DDP_FAULTS, which the launcher hands to workers, and the id with which a worker answers.
#include "common/faults/worker_faults.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = ddp::fuzz::text_of(data, size);
  if (const auto entries = ddp::fault::parse_entries(text)) {
    const std::string written = ddp::fault::format_entries(*entries);
    const auto again = ddp::fault::parse_entries(written);
    ddp::fuzz::require(static_cast<bool>(again), "what was written can be read");
    ddp::fuzz::require(ddp::fault::format_entries(*again) == written,
                       "there is one canonical form");
  } else {
    ddp::fuzz::require(!entries.error().empty(), "an error says something");
  }
  if (const auto id = ddp::fault::parse_injection_id(text)) {
    const auto again = ddp::fault::parse_injection_id(ddp::fault::format_injection_id(*id));
    ddp::fuzz::require(again && *again == *id, "an injection's id survives being written");
  }
  return 0;
}

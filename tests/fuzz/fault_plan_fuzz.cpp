// Fault plans in TOML, and the event files a run is replayed from.
#include "launcher/plan/plan_file.hpp"
#include "launcher/plan/replay.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void check(const ddp::Result<ddp::core::FaultPlan>& plan, const char* file) {
  if (plan) {
    for (const auto& spec : plan->faults)
      ddp::fuzz::require(static_cast<bool>(ddp::fault::parse(ddp::fault::format(spec), 4)),
                         "a plan's fault can be written");
    return;
  }
  ddp::fuzz::require_one_line(plan.error(), "");
  ddp::fuzz::require(plan.error().rfind(file, 0) == 0, "an error begins with the file");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = ddp::fuzz::text_of(data, size);
  check(ddp::parse_fault_plan(text, "plan.toml", 4), "plan.toml");
  check(ddp::parse_replay(text, "events.jsonl", 4), "events.jsonl");
  return 0;
}

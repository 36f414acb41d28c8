// The answer of NCCL's RAS: whatever listens where a rank should.
#include "launcher/hangs/ras_answer.hpp"

#include "common/utf8.hpp"
#include "launcher/report/ras_message.hpp"
#include "tests/fuzz/fuzz.hpp"

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto communicators = ddp::parse_ras_answer(ddp::fuzz::text_of(data, size));
  if (!communicators) return 0;
  require(communicators->size() <= ddp::kMostCommunicators, "communicators are bounded");
  for (const auto& one : *communicators) {
    const std::string text = ddp::ras_text(one);
    require(text.empty() != one.conspicuous(), "what is conspicuous is said");
    require(text.size() <= 2000 && !ddp::has_control(text) && !ddp::has_control(one.id) &&
                ddp::is_utf8(text),
            "a communicator is one short line of plain text");
    for (const auto* ranks : {&one.missing, &one.left, &one.failed})
      require(ranks->size() <= ddp::kMostRasRanks, "ranks are bounded");
    for (const auto& mismatch : one.mismatches)
      require(mismatch.counts.size() > 1, "a mismatch is between two counts at least");
  }
  require(ddp::ras_lines(*communicators).size() <= 2, "the report has two lines at most");
  return 0;
}

#include "launcher/report/diagnosis_message.hpp"

#include <fmt/core.h>

namespace ddp {

std::vector<std::string> diagnosis_lines(const core::Diagnosis& diagnosis,
                                         core::GlobalRank first_rank) {
  std::string cause = "diagnosis: " + diagnosis.cause;
  if (diagnosis.witness) {
    cause += fmt::format(" (from the output of rank {})",
                         to_string(core::global_rank(first_rank, *diagnosis.witness)));
  }
  std::vector<std::string> lines{std::move(cause)};
  if (diagnosis.from_kernel) lines.push_back("kernel: " + diagnosis.evidence);
  lines.push_back("try: " + diagnosis.remedy);
  return lines;
}

}  // namespace ddp

// Chooses the signature that fits a failure. Time is linear in the lines, which the caller bounds;
// of each line the first 4 KiB count.
#pragma once

#include "launcher/core/diagnosis.hpp"
#include "launcher/core/types.hpp"
#include "launcher/diagnosis/signature.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddp::diagnosis {

// What is known of one rank's end. Any bytes may be in the lines.
struct Facts {
  std::optional<core::ExitStatus> status;  // none: it did not end by itself
  std::vector<std::string> lines;          // its recorded exception and its last lines
  // The kernel's log since the attempt began; called only where the rest of a signature matches.
  std::function<std::vector<std::string>()> kernel;
  std::vector<SystemFact> system;
};

// Lines that a signature must match, as a test and as documentation.
struct Sample {
  std::vector<std::string> lines;
  std::vector<std::string> kernel;
};

// Another rank that failed in the same attempt. The system's state says nothing about it.
struct Witness {
  core::LocalRank local_rank = 0;
  std::optional<core::ExitStatus> status;
  std::vector<std::string> lines;
};

// Whether all conditions of `signature` hold. `evidence` becomes the first line that shows it,
// where one does, and `from_kernel` whether that is the kernel's.
bool matches(const Signature& signature, const Facts& facts, std::string& evidence,
             bool& from_kernel);

// The first signature that the root cause matches; else the first that another rank does, in the
// order of `witnesses()`, which is called only then; else the first that the root cause matches
// among those of a lost peer. `evidence` in it is as the rank wrote it.
std::optional<core::Diagnosis> diagnose(std::span<const Signature> signatures, const Facts& root,
                                        const std::function<std::vector<Witness>()>& witnesses);

// What a sample says of the end of a rank: `signature` supplies status and system facts.
Facts facts_of(const Signature& signature, const Sample& sample);

}  // namespace ddp::diagnosis

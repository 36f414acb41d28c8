// Room: launcher/diagnosis. What a failure looks like, and what causes it: signatures, built in or
// the user's, and the choice of the one that fits. A function of facts; only its options read a
// file.
// Includes: common, common/faults, launcher/base, launcher/core, launcher/settings. Included by:
// launcher/cli, launcher/report.
//
// A signature: what must be seen of a failure, and in words its cause and what to do
// (docs/diagnosis.md).
#pragma once

#include "common/faults/line_pattern.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::diagnosis {

// What the system says after a failure. The order is that of kSystemFacts.
enum class SystemFact {
  oom,
  shm_full,
  shm_small,
  disk_full,
  nofile_limit,
  crlf_interpreter,
};

struct SystemFactName {
  SystemFact fact;
  std::string_view name;
  std::string_view meaning;
};
inline constexpr std::array kSystemFacts{
    SystemFactName{SystemFact::oom, "oom", "the kernel's OOM killer killed the rank"},
    SystemFactName{SystemFact::shm_full, "shm_full", "/dev/shm has less than 1 MiB left"},
    SystemFactName{SystemFact::shm_small, "shm_small", "/dev/shm is no larger than 64 MiB"},
    SystemFactName{SystemFact::disk_full, "disk_full",
                   "the disk of the run's files has less than 1 MiB left, or no inode"},
    SystemFactName{SystemFact::nofile_limit, "nofile_limit",
                   "ranks may have no more than 4096 open files"},
    SystemFactName{SystemFact::crlf_interpreter, "crlf_interpreter",
                   "the first line of the program ends in CRLF"},
};

// Lines that a signature must match, for a test and as documentation.
struct Sample {
  std::vector<std::string> lines;
  std::vector<std::string> kernel;
};

// Conditions of different kinds must all hold; of one kind, one of its values must. An empty list
// is no condition.
struct Signature {
  std::string name;
  std::vector<int> exit_codes;  // one kind with `signals`: how the rank ended
  std::vector<int> signals;
  std::vector<std::string> texts;  // one kind with `patterns`: what a line contains
  std::vector<LinePattern> patterns;
  std::vector<LinePattern> kernel;  // what a line of the kernel's log contains
  std::vector<SystemFact> system;
  bool consequence = false;  // of the loss of another rank: tried last
  std::string cause;         // one line
  std::string remedy;        // one line
  std::vector<Sample> samples;

  bool has_status() const { return !exit_codes.empty() || !signals.empty(); }
  bool has_lines() const { return !texts.empty() || !patterns.empty(); }
};

}  // namespace ddp::diagnosis

// Room: launcher/diagnosis. What a failure looks like, and what causes it: signatures, built in or
// the user's, and the choice of the one that fits. A function of facts; only its options read a
// file.
// Includes: common, common/faults, launcher/base, launcher/core, launcher/settings. Included by:
// launcher/cli, launcher/report.
//
// A signature: what must be seen of a failure, and in words its cause and what to do
// (docs/diagnosis.md).
#pragma once

#include <array>
#include <span>
#include <string_view>

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

// What a line contains.
struct LineCondition {
  // Text that each such line contains. Of an expression it may be empty: no such text is known.
  std::string_view literal;
  std::string_view expression;  // a LinePattern; empty: the literal alone
};

// Conditions of different kinds must all hold; of one kind, one of its values must. An empty list
// is no condition. It owns no memory: the built-in ones are constants.
struct Signature {
  std::string_view name;
  std::span<const int> exit_codes;  // one kind with `signals`: how the rank ended
  std::span<const int> signals;
  std::span<const LineCondition> lines;   // of the rank
  std::span<const LineCondition> kernel;  // of the kernel's log
  std::span<const SystemFact> system;
  bool consequence = false;  // of the loss of another rank: tried last
  std::string_view cause;    // one line
  std::string_view remedy;   // one line

  bool has_status() const { return !exit_codes.empty() || !signals.empty(); }
};

}  // namespace ddp::diagnosis

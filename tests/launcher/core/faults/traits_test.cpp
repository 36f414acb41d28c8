// What each kind of fault may be behind, one row per kind.
#include "launcher/core/faults/traits.hpp"

#include "launcher/core/faults/attribution.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <iterator>
#include <string>
#include <utility>

namespace {

using namespace ddp::core;
using ddp::fault::Kind;

// Rank 1 of three gets the fault; `failed` says how the attempt ends afterwards.
InjectedFault injected(Kind kind) {
  InjectedFault one;
  one.injection.kind = kind;
  one.injection.local_rank = 1;
  if (kind == Kind::signal) one.injection.value = std::int64_t{SIGUSR1};
  if (kind == Kind::exit) one.injection.value = std::int64_t{3};
  one.at = TimePoint{} + std::chrono::seconds(1);
  return one;
}

bool is_behind(Kind kind, Cause cause, bool own_exited = false) {
  Verdict verdict;
  verdict.workers.resize(3);
  verdict.failed = TimePoint{} + std::chrono::seconds(2);
  if (own_exited) verdict.workers[1].status = Exited{0};
  verdict.cause = std::move(cause);
  return fault_behind({injected(kind)}, verdict).has_value();
}

// The failures that a fault of this kind may be behind, the exact ones first.
std::string failures_behind(Kind kind) {
  const std::pair<const char*, ExitStatus> kStatuses[] = {
      {"exit 1", Exited{1}},       {"exit 3", Exited{3}},       {"ABRT", Signaled{SIGABRT}},
      {"KILL", Signaled{SIGKILL}}, {"SEGV", Signaled{SIGSEGV}}, {"BUS", Signaled{SIGBUS}},
      {"XCPU", Signaled{SIGXCPU}}, {"XFSZ", Signaled{SIGXFSZ}}, {"USR1", Signaled{SIGUSR1}},
      {"TERM", Signaled{SIGTERM}}};
  std::string exact;
  std::string own;
  std::string peer;
  std::string peer_after_exit;
  for (const auto& [name, status] : kStatuses) {
    if (is_end_by(injected(kind).injection, status)) {
      exact += std::string(" ") + name;
    } else if (is_behind(kind, WorkerFailed{1, status, false})) {
      own += std::string(" ") + name;
    }
    if (is_behind(kind, WorkerFailed{0, status, false})) peer += std::string(" ") + name;
    if (is_behind(kind, WorkerFailed{0, status, false}, true))
      peer_after_exit += std::string(" ") + name;
  }
  if (is_behind(kind, WorkerFailed{1, Signaled{SIGKILL}, true}) && exact != " KILL" &&
      own.find("KILL") == std::string::npos)
    own += " out of memory";
  if (is_behind(kind, ExitedEarly{1})) own += " exit 0";
  if (is_behind(kind, ExitedEarly{0}, true)) peer += " exit 0";
  std::string text = "=" + exact + " | own" + own + " | peer" + peer;
  if (peer_after_exit != peer) text += ", after its exit" + peer_after_exit;
  text += " | hang";
  if (is_behind(kind, Hung{{}, 1})) text += " own";
  if (is_behind(kind, Hung{{}, 0}) && is_behind(kind, Hung{})) text += " any";
  if (is_behind(kind, WorkerNotStarted{1, {}})) text += " | not started";
  if (is_behind(kind, WorkerNotStarted{0, {}})) text += " | peer not started";
  if (is_behind(kind, StoppedBySignal{SIGTERM, {}})) text += " | stopped";
  return text;
}

// Its own exit by which a fault is recognised; other exits of its rank, and of other ranks, that it
// may be behind; hangs of which its own rank, or any rank, is the root cause.
// clang-format off
constexpr std::pair<const char*, const char*> kExpected[] = {
    {"kill", "= KILL | own | peer exit 1 exit 3 ABRT | hang"},
    {"signal", "= USR1 | own exit 1 exit 3 exit 0 | peer, after its exit exit 1 exit 3 ABRT | hang own any"},
    {"stop", "= | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"slow", "= | own exit 1 exit 3 ABRT | peer | hang own any"},
    {"memory", "= | own exit 1 exit 3 ABRT SEGV BUS out of memory | peer | hang own any"},
    {"file-size", "= XFSZ | own exit 1 exit 3 ABRT | peer | hang own any"},
    {"open-files", "= | own exit 1 exit 3 ABRT | peer | hang own any"},
    {"cpu-time", "= XCPU | own exit 1 exit 3 ABRT KILL | peer | hang own any"},
    {"pin", "= | own exit 1 exit 3 ABRT | peer | hang own any"},
    {"block-output", "= | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"hide-device", "= | own exit 1 exit 3 ABRT SEGV | peer | hang own any"},
    {"spawn-fail", "= | own | peer | hang | not started"},
    {"spawn-delay", "= | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"port-taken", "= | own | peer exit 1 exit 3 ABRT | hang own any"},
    {"kill-supervisor", "= | own | peer | hang own any"},
    {"kill-keeper", "= | own | peer | hang own any"},
    {"exit", "= exit 3 | own | peer exit 1 exit 3 ABRT | hang own any"},
    {"throw", "= ABRT | own exit 1 exit 3 | peer exit 1 exit 3 ABRT | hang"},
    {"segfault", "= SEGV | own exit 1 exit 3 | peer exit 1 exit 3 ABRT | hang"},
    {"abort", "= ABRT | own exit 1 exit 3 | peer exit 1 exit 3 ABRT | hang"},
    {"delay", "= | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"skip-allreduce", "= | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"die-in-allreduce", "= KILL | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"nan", "= | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"bitflip", "= | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
    {"corrupt-checkpoint", "= | own exit 1 exit 3 ABRT | peer | hang own any"},
    {"cut-checkpoint", "= KILL | own exit 1 exit 3 ABRT | peer exit 1 exit 3 ABRT | hang own any"},
};
// clang-format on

std::string kinds_where(bool FaultTraits::*trait) {
  std::string text;
  for (const auto& row : ddp::fault::kinds()) {
    if (traits(row.kind).*trait) text += (text.empty() ? "" : " ") + std::string(row.name);
  }
  return text;
}

}  // namespace

TEST_CASE("a kind of fault is behind exactly the failures that it can cause") {
  const auto kinds = ddp::fault::kinds();
  REQUIRE(std::size(kExpected) == kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    CHECK(kExpected[i].first == std::string(kinds[i].name));
    CHECK(kExpected[i].first + (": " + failures_behind(kinds[i].kind)) ==
          kExpected[i].first + std::string(": ") + kExpected[i].second);
  }
}

TEST_CASE("each kind has its row, and few kinds have a special trait") {
  for (const auto& row : ddp::fault::kinds()) {
    CHECK(traits(row.kind).kind == row.kind);
    CHECK((traits(row.kind).signal != 0) == (traits(row.kind).exit == FaultExit::signal));
  }
  CHECK(kinds_where(&FaultTraits::not_started) == "spawn-fail");
  CHECK(kinds_where(&FaultTraits::at_once) == "kill");
  CHECK(kinds_where(&FaultTraits::lasts_for_value) == "spawn-delay delay");
  CHECK(kinds_where(&FaultTraits::adds_up) == "stop block-output");
  CHECK(kinds_where(&FaultTraits::stops_process) == "stop");
  CHECK(kinds_where(&FaultTraits::throttles) == "slow");
  CHECK(kinds_where(&FaultTraits::undone_at_teardown) == "block-output");
  CHECK(kinds_where(&FaultTraits::loses_record) == "kill-supervisor");
}

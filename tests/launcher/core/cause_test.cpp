// Every row of the table of causes.
#include "launcher/core/cause.hpp"

#include "launcher/core/exit_code.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <utility>

namespace {

using namespace ddp::core;

// One of each alternative of Cause, so that a new one is tested as well.
template <std::size_t... I>
std::vector<Cause> one_of_each(std::index_sequence<I...>) {
  return {Cause(std::in_place_index<I>)...};
}
std::vector<Cause> one_of_each() {
  return one_of_each(std::make_index_sequence<std::variant_size_v<Cause>>());
}

Cause failed(ExitStatus status, bool oom_killed = false) {
  return WorkerFailed{1, status, oom_killed};
}
const SpawnError kMissing{SpawnStage::exec, ENOENT};

}  // namespace

TEST_CASE("a cause has a name that a plan can give") {
  for (const Cause& cause : one_of_each()) {
    if (std::holds_alternative<StoppedBySignal>(cause)) continue;  // signal 0 has none
    // A plan expects failures.
    if (std::holds_alternative<RestartedByRequest>(cause)) continue;
    CAPTURE(cause.index());
    CHECK(is_cause_name(cause_name(cause)));
    const auto name = traits(cause).name;
    CHECK((name.empty() || cause_names().find(name) != std::string::npos));
  }
  const std::pair<Cause, const char*> names[] = {{failed(Exited{3}), "exit 3"},
                                                 {failed(Signaled{SIGKILL}), "SIGKILL"},
                                                 {failed(Signaled{SIGKILL}, true), "out of memory"},
                                                 {WorkerNotStarted{1, kMissing}, "not started"},
                                                 {StoppedBySignal{SIGTERM, {}}, "SIGTERM"},
                                                 {ExitedEarly{1}, "early exit"},
                                                 {Hung{}, "hang"},
                                                 {MachinesDisagree{}, "machines disagree"}};
  for (const auto& [cause, name] : names) {
    CHECK(cause_name(cause) == name);
    CHECK(is_cause_name(name));
  }
  CHECK(cause_name(RestartedByRequest{}) == "restart requested");
  CHECK_FALSE(is_failure(RestartedByRequest{}));
  for (const char* none :
       {"", "exit", "restart requested", "exit ", "exit 256", "exit 03", "KILL", "SIGNONE", "hung"})
    CHECK_FALSE(is_cause_name(none));
  CHECK(cause_names() ==
        "a signal such as SIGKILL, exit 0 to exit 255, out of memory, not started, early exit, "
        "hang or machines disagree");
}

TEST_CASE("a cause has an exit code") {
  for (const Cause& cause : one_of_each()) {
    const int code = exit_code_of(cause, false);
    CHECK(code >= 0);
    CHECK(code <= 255);
  }
  CHECK(exit_code_of(failed(Exited{3}), false) == 3);
  CHECK(exit_code_of(failed(Signaled{SIGKILL}), false) == 137);
  CHECK(exit_code_of(failed(Signaled{SIGKILL}, true), false) == 137);
  CHECK(exit_code_of(WorkerNotStarted{1, kMissing}, false) == kNotFound);
  CHECK(exit_code_of(WorkerNotStarted{1, {SpawnStage::fork, EAGAIN}}, false) == kSystemRefused);
  CHECK(exit_code_of(StoppedBySignal{SIGTERM, {}}, true) == 143);
  CHECK(exit_code_of(StoppedBySignal{SIGTERM, 9}, true) == 9);
  CHECK(exit_code_of(StoppedBySignal{SIGTERM, 9}, false) == 143);
  CHECK(exit_code_of(ExitedEarly{1}, false) == 1);
  CHECK(exit_code_of(Hung{}, false) == kHung);
}

TEST_CASE("which rank is the root cause, and how that shows") {
  struct Row {
    Cause cause;
    bool failure;
    std::optional<LocalRank> rank;
    Symptom symptom;
    std::optional<ExitStatus> status;
  };
  const Row rows[] = {
      {failed(Exited{3}), true, 1, Symptom::exit, Exited{3}},
      {WorkerNotStarted{1, kMissing}, true, 1, Symptom::not_started, {}},
      {StoppedBySignal{SIGTERM, {}}, false, {}, Symptom::none, {}},
      {ExitedEarly{1}, true, 1, Symptom::exit, Exited{0}},
      {Hung{{}, 1}, true, 1, Symptom::hang, {}},
      {Hung{}, true, {}, Symptom::hang, {}},
  };
  for (const auto& row : rows) {
    CAPTURE(cause_name(row.cause));
    CHECK(is_failure(row.cause) == row.failure);
    CHECK(root_cause_rank(row.cause) == row.rank);
    CHECK(traits(row.cause).symptom == row.symptom);
    CHECK(exit_status_of(row.cause) == row.status);
  }
  CHECK(standstill(Hung{{.limit = std::chrono::seconds(5), .ranks = {}}, {}}) ==
        std::chrono::seconds(5));
  CHECK_FALSE(standstill(failed(Exited{1})));
}

// Who gets a signal, as a table of the process trees that people run.
#include "launcher/core/stop_scope.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <set>

namespace {

using namespace ddp::core;

constexpr int kSupervisor = 2;
constexpr std::uint64_t kPipe = 77;

constexpr std::uint64_t mask(int signal) { return std::uint64_t{1} << (signal - 1); }

ProcessFacts process(int pid, int parent) {
  ProcessFacts facts;
  facts.pid = pid;
  facts.parent = parent;
  facts.start_time = static_cast<std::uint64_t>(1000 + pid);
  facts.local_rank = 0;
  facts.proof = Proof::session;
  return facts;
}
ProcessFacts first(int pid) {
  auto facts = process(pid, kSupervisor);
  facts.first = true;
  return facts;
}
ProcessFacts shell(ProcessFacts facts) {
  facts.waits = true;
  return facts;
}
ProcessFacts catching(ProcessFacts facts, std::uint64_t signals) {
  facts.caught = signals;
  return facts;
}
ProcessFacts reading(ProcessFacts facts, std::uint64_t pipe = kPipe) {
  facts.reads_pipe = pipe;
  return facts;
}
ProcessFacts writing(ProcessFacts facts, std::uint64_t pipe = kPipe) {
  facts.writes_pipes = {pipe};
  return facts;
}

// The first processes of the table had it.
SignalsSent sent_to_first(const ProcessTable& table, int signal) {
  SignalsSent sent;
  for (const auto& one : table) {
    if (one.first) sent[{one.pid, one.start_time}].signals.insert(signal);
  }
  return sent;
}

std::set<int> pids(const std::vector<Delivery>& deliveries) {
  std::set<int> found;
  for (const auto& one : deliveries) {
    CHECK(one.start_time == static_cast<std::uint64_t>(1000 + one.pid));
    CHECK(found.insert(one.pid).second);  // nobody twice
  }
  return found;
}

std::set<int> next(const ProcessTable& table, int signal = SIGTERM) {
  return pids(next_to_stop(table, sent_to_first(table, signal), signal, kSupervisor));
}

std::set<int> rest(const ProcessTable& table, int signal = SIGTERM) {
  return pids(rest_to_stop(table, sent_to_first(table, signal), signal));
}

}  // namespace

TEST_CASE("data loaders of a trainer that lives are left alone, and have half of the period") {
  const ProcessTable table{first(10), process(11, 10), process(12, 10)};
  CHECK(next(table).empty());
  CHECK(rest(table) == std::set{11, 12});
}

TEST_CASE("data loaders of a trainer that has exited are orphans, and get it") {
  CHECK(next({process(11, kSupervisor), process(12, kSupervisor)}) == std::set{11, 12});
}

TEST_CASE("an orphan is left alone while its rank's first process lives") {
  CHECK(next({first(10), process(11, kSupervisor)}).empty());
  auto others = process(11, kSupervisor);
  others.local_rank = 1;
  CHECK(next({first(10), others}) == std::set{11});
  // Whose it is nothing shows: it may be the living rank's.
  others.local_rank = -1;
  CHECK(next({first(10), others}).empty());
  CHECK(next({others}) == std::set{11});
}

TEST_CASE("a shell's children get it with the shell, their children do not") {
  const ProcessTable table{shell(first(10)), process(11, 10), process(12, 11)};
  CHECK(next(table) == std::set{11});
  CHECK(rest(table) == std::set{11, 12});
}

TEST_CASE("shells within shells pass it on all the way down") {
  CHECK(next({shell(first(10)), shell(process(11, 10)), process(12, 11), process(13, 12)}) ==
        std::set{11, 12});
  // The same where the outermost, no shell itself, has died of it: a wrapper in Python.
  CHECK(next({shell(process(11, kSupervisor)), process(12, 11), process(13, 12)}) ==
        std::set{11, 12});
}

TEST_CASE("what a shell starts after it got the signal is its clean-up, and left alone") {
  const ProcessTable table{shell(first(10)), process(12, 10)};
  auto sent = sent_to_first(table, SIGTERM);
  CHECK(pids(next_to_stop(table, sent, SIGTERM, kSupervisor)) == std::set{12});
  sent[{10, 1010}].passed_on = true;
  CHECK(next_to_stop(table, sent, SIGTERM, kSupervisor).empty());
}

TEST_CASE("what reads the trainer's output ends with its pipe") {
  const auto trainer = writing(catching(process(11, 10), mask(SIGTERM)));
  const auto filter = reading(process(12, 10));
  CHECK(next({shell(first(10)), trainer, filter}) == std::set{11});
  CHECK(rest({shell(first(10)), trainer, filter}) == std::set{11});
  // Also a filter that has a handler, as every Python has for SIGINT …
  const auto python = catching(filter, mask(SIGTERM));
  CHECK(next({shell(first(10)), trainer, python}) == std::set{11});
  // … and one whose trainer is gone.
  CHECK(next({reading(catching(process(12, kSupervisor), mask(SIGTERM)))}).empty());
}

TEST_CASE("a trainer that is fed through a pipe gets it all the same") {
  const auto feeder = writing(process(11, 10));
  const auto trainer = reading(catching(process(12, 10), mask(SIGTERM)));
  CHECK(next({shell(first(10)), feeder, trainer}) == std::set{11, 12});
}

TEST_CASE("nobody gets one twice, and a pid that is given anew is another process") {
  const ProcessTable table{process(11, kSupervisor)};
  SignalsSent sent;
  sent[{11, 1011}].signals.insert(SIGTERM);
  CHECK(next_to_stop(table, sent, SIGTERM, kSupervisor).empty());
  CHECK(rest_to_stop(table, sent, SIGTERM).empty());
  SignalsSent earlier;
  earlier[{11, 5}].signals.insert(SIGTERM);
  CHECK(next_to_stop(table, earlier, SIGTERM, kSupervisor).size() == 1);
}

TEST_CASE("halfway, SIGTERM goes also to those that had SIGINT") {
  const ProcessTable table{first(10), process(11, 10)};
  const auto sent = sent_to_first(table, SIGINT);
  CHECK(pids(rest_to_stop(table, sent, SIGTERM)) == std::set{10, 11});
}

TEST_CASE("an orphan that ignores SIGINT, as a background job does, gets SIGTERM") {
  auto job = process(11, kSupervisor);
  job.ignored = mask(SIGINT);
  const auto deliveries = next_to_stop({job}, {}, SIGINT, kSupervisor);
  REQUIRE(deliveries.size() == 1);
  CHECK(deliveries[0].signal == SIGTERM);
}

TEST_CASE("a forwarded signal goes to the topmost process that has a handler for it") {
  const auto usr1 = mask(SIGUSR1);
  // The trainer alone, not its forked loaders, which inherited the handler.
  CHECK(pids(to_forward({catching(first(10), usr1), catching(process(11, 10), usr1)}, SIGUSR1)) ==
        std::set{10});
  // Behind a shell, or a wrapper that is none.
  CHECK(pids(to_forward({shell(first(10)), catching(process(11, 10), usr1)}, SIGUSR1)) ==
        std::set{11});
  CHECK(pids(to_forward({first(10), process(11, 10), catching(process(12, 11), usr1)}, SIGUSR1)) ==
        std::set{12});
}

TEST_CASE("where nobody has a handler, its default action falls on the program, not on the shell") {
  CHECK(pids(to_forward({first(10), process(11, 10)}, SIGUSR1)) == std::set{10});
  CHECK(pids(to_forward({shell(first(10)), process(11, 10), reading(process(12, 10))}, SIGUSR1)) ==
        std::set{11});
  CHECK(pids(to_forward({shell(first(10))}, SIGUSR1)) == std::set{10});
}

// Who gets a signal, as a table of the process trees that people run.
#include "launcher/core/group/stop_scope.hpp"

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
  facts.shell = true;
  return facts;
}
ProcessFacts waiting(ProcessFacts facts) {
  facts.waits = true;
  return facts;
}
ProcessFacts catching(ProcessFacts facts, std::uint64_t signals) {
  facts.caught = signals;
  return facts;
}
ProcessFacts reading(ProcessFacts facts, bool open = true) {
  facts.reads_pipe = kPipe;
  facts.pipe_is_open = open;
  return facts;
}
ProcessFacts at_its_end(ProcessFacts facts) { return reading(facts, false); }
ProcessFacts writing(ProcessFacts facts) {
  facts.writes_pipes = {kPipe};
  return facts;
}

// The first processes of the table had it.
StopRequest request(const ProcessTable& table, int signal) {
  StopRequest asked;
  asked.signal = signal;
  asked.supervisor = kSupervisor;
  asked.asked_at = 2000;
  for (const auto& one : table) {
    if (one.first) asked.sent[{one.pid, one.start_time}].signals.insert(signal);
  }
  return asked;
}

void later(StopRequest& asked) { asked.now += kLookAgainAfter; }

std::set<int> pids(const std::vector<Delivery>& deliveries) {
  std::set<int> found;
  for (const auto& one : deliveries) {
    CHECK(one.start_time == static_cast<std::uint64_t>(1000 + one.pid));
    CHECK(found.insert(one.pid).second);  // none twice
  }
  return found;
}

std::set<int> next(const ProcessTable& table, int signal = SIGTERM) {
  auto asked = request(table, signal);
  return pids(next_to_stop(table, asked));
}

std::set<int> rest(const ProcessTable& table, int signal = SIGTERM) {
  auto asked = request(table, signal);
  return pids(rest_to_stop(table, signal, asked));
}

}  // namespace

TEST_CASE("data loaders of a live trainer get no signal for half of the period") {
  const ProcessTable table{first(10), process(11, 10), process(12, 10)};
  CHECK(next(table).empty());
  CHECK(rest(table) == std::set{11, 12});
}

TEST_CASE("data loaders of a trainer that has exited are orphans, and get it") {
  CHECK(next({process(11, kSupervisor), process(12, kSupervisor)}) == std::set{11, 12});
}

TEST_CASE("an orphan gets no signal while its rank's first process is alive") {
  CHECK(next({first(10), process(11, kSupervisor)}).empty());
  auto others = process(11, kSupervisor);
  others.local_rank = 1;
  CHECK(next({first(10), others}) == std::set{11});
  // Nothing shows its rank: it may be the living rank's.
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
  ProcessTable table{shell(first(10)), process(12, 10)};
  auto asked = request(table, SIGTERM);
  CHECK(pids(next_to_stop(table, asked)) == std::set{12});
  table.push_back(process(13, 10));
  CHECK(next_to_stop(table, asked).empty());
  // Also one that the first look sees, but that began after the request.
  ProcessTable late{shell(first(10)), process(12, 10)};
  late[1].start_time = 2001;
  auto again = request(late, SIGTERM);
  CHECK(next_to_stop(late, again).empty());
}

TEST_CASE("a wrapper without a handler that waits for its child passes it on") {
  CHECK(next({waiting(first(10)), process(11, 10)}) == std::set{11});
}

TEST_CASE("a program that waits for an upload and has a handler keeps it") {
  const ProcessTable table{waiting(catching(first(10), mask(SIGTERM))), process(11, 10)};
  auto asked = request(table, SIGTERM);
  CHECK(next_to_stop(table, asked).empty());
  later(asked);
  CHECK(next_to_stop(table, asked).empty());
  // Python has a handler for SIGINT, whatever the program does.
  CHECK(next({waiting(catching(first(10), mask(SIGINT))), process(11, 10)}, SIGINT) ==
        std::set{11});
}

TEST_CASE(
    "a program that its handler has led to wait for its children passes it on a second later") {
  const auto python = catching(first(10), mask(SIGINT));
  auto asked = request({python}, SIGINT);
  CHECK(next_to_stop({python, process(11, 10)}, asked).empty());
  const ProcessTable joins{waiting(python), process(11, 10)};
  CHECK(next_to_stop(joins, asked).empty());
  later(asked);
  CHECK(pids(next_to_stop(joins, asked)) == std::set{11});
  CHECK(next_to_stop(joins, asked).empty());
}

TEST_CASE("what reads the trainer's output ends with its pipe") {
  const auto trainer = writing(catching(process(11, 10), mask(SIGTERM)));
  const auto filter = reading(process(12, 10));
  CHECK(next({shell(first(10)), trainer, filter}) == std::set{11});
  CHECK(rest({shell(first(10)), trainer, filter}) == std::set{11});
  // Also a filter that has a handler, as every Python has for SIGINT.
  const auto python = catching(filter, mask(SIGTERM));
  CHECK(next({shell(first(10)), trainer, python}) == std::set{11});
}

TEST_CASE("what has read its pipe to the end has a second for what it has in hand") {
  for (const std::uint64_t caught : {std::uint64_t{0}, mask(SIGTERM)}) {
    CAPTURE(caught);
    const auto trainer = writing(catching(process(11, 10), mask(SIGTERM)));
    const ProcessTable both{shell(first(10)), trainer, catching(reading(process(12, 10)), caught)};
    auto asked = request(both, SIGTERM);
    CHECK(pids(next_to_stop(both, asked)) == std::set{11});
    const ProcessTable alone{catching(at_its_end(process(12, kSupervisor)), caught)};
    later(asked);
    CHECK(next_to_stop(alone, asked).empty());
    later(asked);
    CHECK(pids(next_to_stop(alone, asked)) == std::set{12});
  }
}

TEST_CASE("a trainer whose input is a pipe gets it all the same") {
  const auto trainer = catching(process(12, 10), mask(SIGTERM));
  const ProcessFacts sh = shell(first(10));
  // cat data | train; echo y | train, when echo has exited; a here-document; Popen(stdin=PIPE).
  CHECK(next({sh, writing(process(11, 10)), reading(trainer)}) == std::set{11, 12});
  CHECK(next({sh, at_its_end(trainer)}) == std::set{12});
  CHECK(next({sh, reading(trainer)}) == std::set{12});
  // Without a handler there is nothing to save: it has its second, or half of the period.
  ProcessTable bare{sh, at_its_end(process(12, 10))};
  auto asked = request(bare, SIGTERM);
  CHECK(next_to_stop(bare, asked).empty());
  bare = {at_its_end(process(12, kSupervisor))};
  later(asked);
  CHECK(pids(next_to_stop(bare, asked)) == std::set{12});
  CHECK(rest({sh, reading(process(12, 10))}) == std::set{12});
}

TEST_CASE("no process gets one twice, and a pid that is used again is another process") {
  const ProcessTable table{process(11, kSupervisor)};
  auto asked = request(table, SIGTERM);
  asked.sent[{11, 1011}].signals.insert(SIGTERM);
  CHECK(next_to_stop(table, asked).empty());
  CHECK(rest_to_stop(table, SIGTERM, asked).empty());
  auto earlier = request(table, SIGTERM);
  earlier.sent[{11, 5}].signals.insert(SIGTERM);
  CHECK(next_to_stop(table, earlier).size() == 1);
}

TEST_CASE("halfway, SIGTERM goes also to those that had SIGINT") {
  const ProcessTable table{first(10), process(11, 10)};
  auto asked = request(table, SIGINT);
  CHECK(pids(rest_to_stop(table, SIGTERM, asked)) == std::set{10, 11});
}

TEST_CASE("an orphan that ignores SIGINT, as a background job does, gets SIGTERM") {
  auto job = process(11, kSupervisor);
  job.ignored = mask(SIGINT);
  auto asked = request({}, SIGINT);
  const auto deliveries = next_to_stop({job}, asked);
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

TEST_CASE("where no process has a handler, the signal goes to the program, not to the shell") {
  CHECK(pids(to_forward({first(10), process(11, 10)}, SIGUSR1)) == std::set{10});
  CHECK(pids(to_forward({shell(first(10)), process(11, 10), reading(process(12, 10))}, SIGUSR1)) ==
        std::set{11});
  CHECK(pids(to_forward({shell(first(10))}, SIGUSR1)) == std::set{10});
}

// Any event in any phase leaves no process and no file, in time.
#include "tests/e2e/containment.hpp"

using namespace ddp::test;

namespace {

void check_all(Phase phase, int nproc, std::initializer_list<Injection> injections) {
  for (const Injection injection : injections) check_contained({phase, injection, nproc});
}

}  // namespace

TEST_CASE("running: every event, for every kind of worker") {
  check_all(Phase::running, 4,
            {Injection::exit_0, Injection::exit_3, Injection::rank_killed, Injection::rank_segv,
             Injection::term, Injection::interrupt, Injection::interrupt_twice, Injection::hangup,
             Injection::quit, Injection::keeper_killed, Injection::supervisor_killed,
             Injection::ctrl_c, Injection::terminal_gone, Injection::parent_killed});
}

TEST_CASE("running: one worker and 64 workers") {
  check_all(Phase::running, 1,
            {Injection::exit_0, Injection::exit_3, Injection::rank_killed, Injection::term,
             Injection::interrupt, Injection::keeper_killed, Injection::supervisor_killed});
  check_all(Phase::running, 64,
            {Injection::exit_0, Injection::rank_killed, Injection::interrupt_twice,
             Injection::keeper_killed, Injection::supervisor_killed});
}

TEST_CASE("spawning: the launcher is starting its workers") {
  check_all(Phase::spawning, 24,
            {Injection::exit_3, Injection::rank_killed, Injection::rank_segv, Injection::term,
             Injection::interrupt, Injection::interrupt_then_term, Injection::hangup,
             Injection::quit, Injection::keeper_killed, Injection::supervisor_killed,
             Injection::ctrl_c, Injection::terminal_gone, Injection::parent_killed});
  check_all(Phase::spawning, 64,
            {Injection::term, Injection::keeper_killed, Injection::supervisor_killed});
}

TEST_CASE("tearing down: a rank failed and the others ignore SIGTERM") {
  check_all(Phase::tearing_down, 4,
            {Injection::rank_killed, Injection::term, Injection::interrupt,
             Injection::interrupt_then_term, Injection::hangup, Injection::quit,
             Injection::keeper_killed, Injection::supervisor_killed, Injection::ctrl_c,
             Injection::terminal_gone, Injection::parent_killed});
  check_all(Phase::tearing_down, 64, {Injection::keeper_killed});
}

TEST_CASE("backing off: the group waits for its restart") {
  check_all(
      Phase::backing_off, 4,
      {Injection::term, Injection::interrupt, Injection::interrupt_then_term, Injection::hangup,
       Injection::quit, Injection::keeper_killed, Injection::supervisor_killed, Injection::ctrl_c,
       Injection::terminal_gone, Injection::parent_killed});
}

TEST_CASE("between attempts: one ends and the next begins, many times") {
  check_all(
      Phase::between_generations, 4,
      {Injection::term, Injection::interrupt, Injection::interrupt_then_term, Injection::hangup,
       Injection::quit, Injection::keeper_killed, Injection::supervisor_killed, Injection::ctrl_c,
       Injection::terminal_gone, Injection::parent_killed});
  check_all(Phase::between_generations, 1, {Injection::term, Injection::keeper_killed});
  check_all(Phase::between_generations, 64,
            {Injection::keeper_killed, Injection::supervisor_killed});
}

// Whatever happens, in whatever phase: nothing is left behind, in time.
#include "tests/e2e/containment.hpp"

using namespace ddp::test;

namespace {

void check_all(Phase phase, int nproc, std::initializer_list<Strike> strikes) {
  for (const Strike strike : strikes) check_contained({phase, strike, nproc});
}

}  // namespace

TEST_CASE("running: every event, on workers of every kind") {
  check_all(Phase::running, 4,
            {Strike::exit_0, Strike::exit_3, Strike::rank_killed, Strike::rank_segv, Strike::term,
             Strike::interrupt, Strike::interrupt_twice, Strike::hangup, Strike::quit,
             Strike::keeper_killed, Strike::supervisor_killed, Strike::ctrl_c,
             Strike::terminal_gone, Strike::parent_killed});
}

TEST_CASE("running: one worker alone, and 64") {
  check_all(Phase::running, 1,
            {Strike::exit_0, Strike::exit_3, Strike::rank_killed, Strike::term, Strike::interrupt,
             Strike::keeper_killed, Strike::supervisor_killed});
  check_all(Phase::running, 64,
            {Strike::exit_0, Strike::rank_killed, Strike::interrupt_twice, Strike::keeper_killed,
             Strike::supervisor_killed});
}

TEST_CASE("spawning: the launcher is in the midst of starting its workers") {
  check_all(
      Phase::spawning, 24,
      {Strike::exit_3, Strike::rank_killed, Strike::rank_segv, Strike::term, Strike::interrupt,
       Strike::interrupt_then_term, Strike::hangup, Strike::quit, Strike::keeper_killed,
       Strike::supervisor_killed, Strike::ctrl_c, Strike::terminal_gone, Strike::parent_killed});
  check_all(Phase::spawning, 64, {Strike::term, Strike::keeper_killed, Strike::supervisor_killed});
}

TEST_CASE("tearing down: a rank has failed, and the others do not heed SIGTERM") {
  check_all(Phase::tearing_down, 4,
            {Strike::rank_killed, Strike::term, Strike::interrupt, Strike::interrupt_then_term,
             Strike::hangup, Strike::quit, Strike::keeper_killed, Strike::supervisor_killed,
             Strike::ctrl_c, Strike::terminal_gone, Strike::parent_killed});
  check_all(Phase::tearing_down, 64, {Strike::keeper_killed});
}

TEST_CASE("backing off: the group waits to be started again") {
  check_all(Phase::backing_off, 4,
            {Strike::term, Strike::interrupt, Strike::interrupt_then_term, Strike::hangup,
             Strike::quit, Strike::keeper_killed, Strike::supervisor_killed, Strike::ctrl_c,
             Strike::terminal_gone, Strike::parent_killed});
}

TEST_CASE("between generations: one ends and the next begins, again and again") {
  check_all(Phase::between_generations, 4,
            {Strike::term, Strike::interrupt, Strike::interrupt_then_term, Strike::hangup,
             Strike::quit, Strike::keeper_killed, Strike::supervisor_killed, Strike::ctrl_c,
             Strike::terminal_gone, Strike::parent_killed});
  check_all(Phase::between_generations, 1, {Strike::term, Strike::keeper_killed});
  check_all(Phase::between_generations, 64, {Strike::keeper_killed, Strike::supervisor_killed});
}

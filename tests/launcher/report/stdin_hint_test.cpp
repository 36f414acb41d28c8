#include "launcher/report/stdin_hint.hpp"

#include "launcher/report/failure_message.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using Lines = std::vector<std::string>;

TEST_CASE("a rank that read no input gets the advice to use --stdin") {
  const std::string hint = "rank 3 reads /dev/null; use --stdin 3 to give it ddp-launch's input";
  CHECK(stdin_hint({"Traceback (most recent call last):", "bdb.BdbQuit"}, 3) == hint);
  CHECK(stdin_hint({"    n = input('n? ')", "EOFError: EOF when reading a line"}, 3) == hint);
  CHECK(stdin_hint({"    n = input('n? ')", "EOFError"}, 3) == hint);
  CHECK(stdin_hint({"\x1b[1;35mEOFError\x1b[0m: \x1b[35mEOF when reading a line\x1b[0m", "bye"},
                   3) == hint);
}

TEST_CASE("other failures get no advice about --stdin") {
  CHECK(stdin_hint({}, 0).empty());
  CHECK(stdin_hint({"ValueError: bdb.BdbQuit"}, 0).empty());
  CHECK(stdin_hint({"    raise EOFError", "EOFError"}, 0).empty());  // of a closed connection
  CHECK(stdin_hint({"EOFError: Ran out of input"}, 0).empty());      // pickle's
  CHECK(stdin_hint({"\x1b[", "EOFError: EOF when reading a line!"}, 0).empty());
}

TEST_CASE("the advice follows the rank's last lines") {
  core::Verdict verdict;
  core::WorkerOutcome worker;
  worker.pid = 7;
  worker.status = core::Exited{1};
  verdict.workers.push_back(worker);
  verdict.cause = core::WorkerFailed{0, core::Exited{1}, false};
  VerdictContext context;
  context.tail = {"bdb.BdbQuit"};
  CHECK(verdict_text(verdict, context).ends_with("  | bdb.BdbQuit\n"));
  context.hint = "rank 0 reads /dev/null";
  CHECK(verdict_text(verdict, context)
            .ends_with("  | bdb.BdbQuit\nddp-launch: rank 0 reads /dev/null\n"));
}

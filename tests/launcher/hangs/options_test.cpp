#include "launcher/hangs/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace ddp;
using namespace std::chrono_literals;

TEST_CASE("without a flag no limit is watched, and diagnostics may take ten seconds") {
  const Options o = FakeMachine().good({});
  CHECK_FALSE(o.hangs.limits.any());
  CHECK(o.hangs.on_hang.empty());
  CHECK_FALSE(o.hangs.hang_signal);
  CHECK(o.hangs.evidence_timeout == 10s);
  CHECK(o.hangs.straggler.factor == 0);
}

TEST_CASE("the group gets the time limit for diagnostics") {
  const Options o = FakeMachine().good({"--evidence-timeout", "3s", "--hang-signal", "USR2"});
  CHECK(o.hangs.evidence_timeout == 3s);
  CHECK(o.group.evidence_timeout == 3s);
  CHECK(o.hangs.hang_signal == SIGUSR2);
}

TEST_CASE("a straggler's factor is a number from 1.1 to 1000") {
  const FakeMachine machine;
  CHECK(machine.good({"--straggler-factor", "1.1"}).hangs.straggler.factor == 1.1);
  for (const char* bad : {"1", "1.0", "1001", "x", "2x", "", "nan", "-2"}) {
    CAPTURE(bad);
    CHECK(machine.refused({"--straggler-factor=" + std::string(bad)}).find("--straggler-factor") ==
          0);
  }
}

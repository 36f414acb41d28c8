#include "launcher/faults/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("--inject adds to a plan's faults, and --fault-seed replaces its seed") {
  FakeMachine machine;
  machine.file("plan.toml", "seed = 3\nfault = [\"kill@step=1\"]\n[expect]\nexit = 137\n");
  const std::string plan = machine.root / "plan.toml";
  const Options both = machine.good({"--faults", plan, "--inject", "stop@step=2"});
  CHECK(both.faults.plan.faults.size() == 2);
  CHECK(both.faults.plan.seed == 3);
  CHECK(both.faults.plan.name == "plan");
  REQUIRE(both.faults.plan.expect);
  CHECK(both.faults.plan.expect->exit == 137);
  CHECK(machine.good({"--faults", plan, "--fault-seed", "4"}).faults.plan.seed == 4);
}

TEST_CASE("a fault in a generation that cannot come is refused") {
  const FakeMachine machine;
  CHECK(machine.refused({"--inject", "kill@gen=1-3"}) ==
        "--inject is 'kill@gen=1-3': kill@rank=any,gen=1-3 can never trigger: expected gen=0, "
        "because "
        "--max-restarts is 0");
  CHECK(
      machine.refused({"--max-restarts", "2", "--inject", "kill@gen=3"}) ==
      "--inject is 'kill@gen=3': kill@rank=any,gen=3 can never trigger: expected gen=0-2, because "
      "--max-restarts is 2");
  machine.good({"--max-restarts", "1", "--inject", "kill@gen=1-3"});
  machine.good({"--max-restarts", "1 in 1m", "--inject", "kill@gen=9"});
}

TEST_CASE("a fault that waits for a line of ranks whose output is not read is refused") {
  const FakeMachine machine;
  const auto words = [](std::vector<std::string> more) {
    more.insert(more.end(), {"--log-dir", "d", "--nproc", "2"});
    return more;
  };
  CHECK(machine.refused(words({"-r", "3", "--inject", "kill@line=x"})) ==
        "--inject is 'kill@line=x': kill@rank=any,line=x can never trigger: --redirects sends the "
        "output of its ranks directly to files; expected --tee");
  const auto one = words({"-r", "1:3", "--inject", "kill@line=x,rank=1"});
  CHECK(machine.refused(one).find("can never trigger: --redirects sends") != std::string::npos);
  // One of its ranks or streams is read; or another machine's ranks may be.
  machine.good(words({"-r", "1:3", "--inject", "kill@line=x,rank=all"}));
  machine.good(words({"-r", "1", "--inject", "kill@line=x"}));
  machine.good(words({"-r", "3", "-t", "3", "--inject", "kill@line=x"}));
  machine.good(words({"-r", "3", "--inject", "kill@step=1"}));
  machine.good(words({"-r", "3", "--nnodes", "2", "--master-addr", "h", "--master-port", "1",
                      "--inject", "kill@line=x"}));
}

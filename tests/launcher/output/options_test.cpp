#include "launcher/output/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("where a stream is both redirected and teed, tee wins as with torchrun") {
  const Options o = FakeMachine().good({"--log-dir", "d", "--nproc", "2", "-r", "3", "-t", "0:1"});
  CHECK_FALSE(o.output.redirect[0].out);
  CHECK(o.output.redirect[0].err);
  CHECK(o.output.redirect[1].out);
  CHECK(o.output.tee[0].out);
  CHECK_FALSE(o.output.tee[0].err);
}

TEST_CASE("files without a log directory need one; nothing to write needs none") {
  const FakeMachine machine;
  CHECK(machine.good({"-r", "3"}).output.needs_log_dir);
  CHECK(machine.good({"-t", "0:2"}).output.needs_log_dir);
  CHECK_FALSE(machine.good({"-t", "0"}).output.needs_log_dir);
  CHECK_FALSE(machine.good({"-t", "3", "--log-dir", "d"}).output.needs_log_dir);
}

// Faults carried out in a launch without processes: what is asked of the workers, and what
// events.jsonl and the user get to read of each.
#include "tests/launcher/supervisor/rig.hpp"

#include <algorithm>
#include <chrono>

namespace {

using namespace ddp;
using namespace ddp::test;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

const core::ExitStatus kSuccess = core::Exited{0};

Options with(int nproc, const std::vector<std::string>& faults) {
  Options options = options_of(nproc);
  for (const auto& fault : faults) plan_fault(options, fault);
  return options;
}

std::ptrdiff_t count(const Lines& events, const std::string& name) {
  return std::count(events.begin(), events.end(), name);
}

}  // namespace

TEST_CASE("a stop at a step is written before it is carried out, and undone after its time") {
  Rig rig(with(2, {"stop@step=5,rank=1,for=2s"}));
  rig.start();
  rig.step(1, 4);
  CHECK(rig.workers.count("signal 1 19") == 0);
  rig.step(1, 5);
  CHECK(rig.workers.count("signal 1 19") == 1);
  CHECK_HAS(rig.event("fault_injected"), "\"fault\":\"stop\"");
  CHECK_HAS(rig.event("fault_injected"), "\"step\":5");
  CHECK_HAS(rig.console(), "ddp-launch: injected stop@rank=1,step=5,gen=0,for=2s\n");
  rig.loop.advance(milliseconds(2100));
  CHECK(rig.workers.count("signal 1 18") == 1);
  CHECK_HAS(rig.event("fault_undone"), "\"by\":\"time\"");
}

TEST_CASE("a stopped rank stays stopped over a Ctrl-Z") {
  Rig rig(with(2, {"stop@step=5,rank=1"}));
  rig.start();
  rig.step(1, 5);
  rig.supervisor.suspend();
  CHECK(rig.workers.count("continue 0") == 1);
  CHECK(rig.workers.count("continue 1") == 0);
}

TEST_CASE("a teardown undoes a stop, and the group is torn down before that is written") {
  Rig rig(with(2, {"stop@step=5,rank=1"}));
  rig.start();
  rig.step(1, 5);
  rig.exit(0, core::Exited{1});
  const auto events = rig.events();
  const auto teardown = std::find(events.begin(), events.end(), "teardown_began 0");
  const auto undone = std::find(events.begin(), events.end(), "fault_undone 1");
  REQUIRE(undone != events.end());
  CHECK(teardown < undone);
  CHECK_HAS(rig.event("fault_undone"), "\"by\":\"teardown\"");
}

TEST_CASE("a rank's exit ends what was injected into it") {
  Rig rig(with(2, {"stop@step=5,rank=1,for=60s"}));
  rig.start();
  rig.step(1, 5);
  rig.exit(1, kSuccess);
  CHECK_HAS(rig.event("fault_undone"), "\"by\":\"exit\"");
  const auto events = rig.events();
  CHECK(std::find(events.begin(), events.end(), "worker_exited 1") <
        std::find(events.begin(), events.end(), "fault_undone 1"));
}

TEST_CASE("slow: a duty cycle of stop and continue") {
  Rig rig(with(1, {"slow=0.5@step=1,rank=0"}));
  rig.start();
  rig.step(0, 1);
  rig.loop.advance(milliseconds(500));
  CHECK(rig.workers.count("signal 0 19") >= 9);
  CHECK(rig.workers.count("signal 0 18") >= 9);
  rig.exit(0, kSuccess);
  CHECK(rig.supervisor.exit_code() == 0);
  CHECK(rig.loop.idle());
}

TEST_CASE("spawn-fail: refused as the system would, and the reported cause is the fault") {
  Rig rig(with(2, {"spawn-fail=ENOENT@rank=1"}));
  rig.start();
  CHECK(rig.workers.count("start 1") == 0);
  CHECK(rig.supervisor.exit_code() == 127);
  const auto events = rig.events();
  CHECK(std::find(events.begin(), events.end(), "fault_injected 1") <
        std::find(events.begin(), events.end(), "spawn_failed 1"));
  CHECK_HAS(rig.event("failure"), "\"injected\":true");
}

TEST_CASE("spawn-delay: the start waits, and a stop request does not") {
  Rig rig(with(2, {"spawn-delay=10s@rank=1"}));
  rig.start();
  CHECK(rig.workers.count("start 1") == 0);
  SUBCASE("the time passes") {
    rig.loop.advance(seconds(11));
    CHECK(rig.workers.count("start 1") == 1);
  }
  SUBCASE("SIGTERM") {
    rig.request_stop(SIGTERM);
    CHECK(rig.workers.count("start 1") == 0);
    CHECK(rig.supervisor.exit_code() == 128 + SIGTERM);
    CHECK_HAS(rig.event("spawn_failed"), "\"errno\":125");  // ECANCELED
    rig.loop.advance(seconds(11));
    CHECK(rig.workers.count("start 1") == 0);
  }
}

TEST_CASE("a line of output triggers a fault; without such a fault no line is published") {
  Rig rig(with(1, {"stop@line=epoch=2,rank=0"}));
  rig.start();
  rig.workers.write(0, "epoch=1\n");
  rig.loop.run();
  CHECK(rig.workers.count("signal 0 19") == 0);
  rig.workers.write(0, "epoch=2\n");
  rig.loop.run();
  CHECK(rig.workers.count("signal 0 19") == 1);
}

TEST_CASE("a fault that cannot be injected is reported with the reason, and harms nothing") {
  Options options = options_of(1);
  options.ranks.nnodes = 2;
  options.ranks.node_rank = 1;
  plan_fault(options, "port-taken");
  Rig rig(options);
  rig.start();
  CHECK_HAS(rig.event("fault_refused"), "\"why\":\"rank 0 listens on another machine\"");
  CHECK_HAS(rig.console(), "could not inject port-taken");
  CHECK(rig.event("fault_undone").empty());
  rig.exit(0, kSuccess);
  CHECK(rig.supervisor.exit_code() == 0);
}

TEST_CASE("a fault that a worker injects into itself is recorded") {
  Rig rig(with(1, {"exit=3@step=2,rank=0"}));
  rig.start();
  const auto& environment = rig.workers.requests.at(0).environment;
  CHECK(std::any_of(environment.begin(), environment.end(),
                    [](const std::string& entry) { return entry.starts_with("DDP_FAULTS="); }));
  NotifyMessage message;
  message.fault = fault::format_injection_id({.fault = 0, .occurrence = 0, .step = 2});
  rig.supervisor.notified(0, message);
  CHECK_HAS(rig.event("fault_injected"), "\"fault\":\"exit\"");
  rig.exit(0, core::Exited{3});
  CHECK_HAS(rig.event("failure"), "\"injected\":true");
  CHECK_HAS(rig.console(), "; injected: exit=3@rank=0,step=2,gen=0\n");
}

TEST_CASE("of many injections of one fault the first are reported, and all are in the file") {
  Rig rig(with(1, {"stop@every=1steps,for=1ms,rank=0,times=20"}));
  rig.start();
  for (int step = 1; step <= 20; ++step) {
    rig.step(0, step);
    rig.loop.advance(milliseconds(2));
  }
  CHECK(count(rig.events(), "fault_injected 0") == 20);
  const std::string text = rig.console();
  int reported = 0;
  for (auto at = text.find("ddp-launch: injected"); at != std::string::npos;
       at = text.find("ddp-launch: injected", at + 1))
    ++reported;
  CHECK(reported == 10);
  CHECK_HAS(text, "more injections of");
}

TEST_CASE("nothing is injected into a group that is torn down") {
  Rig rig(with(2, {"stop@step=5,rank=1"}));
  rig.workers.deaf = {1};
  rig.start();
  rig.exit(0, core::Exited{1});
  rig.step(1, 5);
  CHECK(rig.workers.count("signal 1 19") == 0);
}

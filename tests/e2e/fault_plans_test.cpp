// Plans: rejected before anything starts, judged at the end, repeatable, and replayed.
#include "tests/e2e/fault_run.hpp"

#include <signal.h>

#include <filesystem>

using namespace ddp::test;

namespace {

// Two ranks, ten steps; the last attempt exits, those before it wait for their fault.
Words ten_steps(const char* waiting_generations) {
  return helper({"steps", "1", "10", "on-generation", waiting_generations, "[", "pause", "]",
                 "notify", "X_DDP_DIGEST=0123abcd", "sync"});
}

std::string plan(const Scene& scene, const std::string& text, const std::string& name = "plan") {
  const std::string path = scene.path(name + ".toml");
  write_file(path, text);
  return path;
}

Words restarts(const char* count) { return Words{"--max-restarts", count} + kRestartAtOnce; }

}  // namespace

TEST_CASE("an invalid fault is rejected with its position and nothing starts") {
  const Scene scene;
  const Words steps = helper({"touch", scene.path("started")});
  const auto refused = [&](const Words& flags) {
    const auto run = scene.run(Words{"--nproc", "2"} + flags, steps);
    CHECK(run.status == Status{.code = 2});
    CHECK(lines_of(run.err).size() == 1);
    return run.err;
  };
  CHECK(contains(refused({"--inject", "kill", "--inject", "kill@stp=5"}),
                 "--inject is 'kill@stp=5': column 6: 'stp': expected "));
  CHECK(contains(refused({"--inject", "kill@rank=2"}), "expected ranks from 0 to 1"));
  CHECK(contains(refused({"--inject", "hide-device", "--device-type", "cpu"}), "hide-device"));
  const std::string bad = plan(scene, "[[fault]]\nfault = \"kill\"\nsteps = 5\n");
  CHECK(contains(refused({"--faults", bad}), bad + ":3:9: 'steps': expected "));
  CHECK(contains(refused({"--faults", scene.path("none")}), "No such file"));
  const std::string never = plan(scene, "[expect]\nrestarts = 2\n", "never");
  CHECK(contains(refused({"--faults", never, "--max-restarts", "1"}),
                 "restarts = 2 can never happen: --max-restarts is 1"));
  const std::string third = plan(scene, "[expect]\nroot_cause = [{}, {}, {}]\n", "third");
  CHECK(contains(refused({"--faults", third, "--max-restarts", "1"}),
                 "root_cause of 3 failures can never happen: --max-restarts is 1"));
  CHECK(contains(refused({"--replay", bad}), bad + ":1: not an event"));
  CHECK(contains(refused({"--replay", bad, "--inject", "kill"}),
                 "no --inject: a replay is complete"));
  CHECK(contains(refused({"--fault-seed", "x"}), "--fault-seed"));
  CHECK(contains(refused({"--junit", scene.path("no/where.xml")}), "--junit"));
  write_file(scene.path("run.toml"), "inject = [\"kill@step=1\",\n \"kil@step=2\"]\n");
  CHECK(contains(refused({"--config", scene.path("run.toml")}),
                 "run.toml:2:2: inject is 'kil@step=2': column 1: 'kil'"));
  CHECK_FALSE(std::filesystem::exists(scene.path("started")));
}

TEST_CASE("a plan whose fault is never triggered or is refused is not met") {
  const Scene scene;
  const auto run = [&](const std::string& text) {
    return scene.run({"--nproc", "2", "--faults", plan(scene, text)}, helper({"steps", "1", "3"}));
  };
  const auto missed = run("fault = [\"kill@step=4\"]\n[expect]\n");
  CHECK(missed.status == Status{.code = 73});
  CHECK(contains(missed.err,
                 "NOT MET all_faults_triggered: expected true, measured kill@rank=any,step=4 was "
                 "never triggered"));
  CHECK(run("fault = [\"kill@step=4\"]\n[expect]\nall_faults_triggered = false\n").status ==
        Status{.code = 0});
  CHECK(run("fault = [\"signal=URG@step=3\"]\n[expect]\n").status == Status{.code = 0});
  const auto refused = run("fault = [\"pin=999\"]\n[expect]\n");
  CHECK(refused.status == Status{.code = 73});
  CHECK(contains(refused.err, "measured pin=999@rank=any was refused"));
  // Without expectations it is only reported.
  const auto untriggered = scene.run({"--inject", "exit=3@step=1"}, helper({"steps", "1", "3"}));
  CHECK(untriggered.status == Status{.code = 0});
  CHECK(untriggered.err ==
        "ddp-launch: exit=3@rank=any,step=1 was never triggered: the worker must inject it\n");
  const auto unread = scene.run({"-r", "1", "--log-dir", "logs", "--inject", "kill@line=x"},
                                helper({"print", "x"}));
  CHECK(unread.status == Status{.code = 0});
  CHECK(contains(unread.err,
                 "kill@rank=any,line=x was never triggered: ddp-launch does not read output that"));
  // With several machines each knows only its own ranks.
  for (const auto& [rank, met] :
       {std::pair("0", false), std::pair("1", true), std::pair("any", true)}) {
    const auto half = scene.run(
        {"--nnodes", "2", "--node-rank", "0", "--master-addr", "127.0.0.1", "--master-port", "1",
         "--faults",
         plan(scene, std::string("fault = [\"kill@step=4,rank=") + rank + "\"]\n[expect]\n")},
        helper({"steps", "1", "3"}));
    CHECK(half.status == Status{.code = met ? 0 : 73});
  }
}

TEST_CASE("the configuration file may list several faults") {
  const Scene scene;
  write_file(scene.path("run.toml"),
             "nproc = 1\ninject = [\"signal=USR1@step=9\", \"kill@step=2,rank=0\"]\n");
  const auto run = scene.run(Words{"--config", scene.path("run.toml")} + recorded(scene),
                             helper({"steps", "1", "3"}));
  CHECK(run.status == Status{.code = 137});
  CHECK(injected(scene) == Words{"kill@rank=0,step=2,gen=0"});
}

TEST_CASE("a plan's expectations decide the exit code") {
  const Scene scene;
  const std::string faults = "[[fault]]\nfault = \"kill\"\nstep = 4\nrank = 1\n[expect]\n";
  const std::string met = faults +
                          "restarts = 1\nrestarts_at_most = 1\ndetected_within = \"20s\"\n"
                          "torn_down_within = \"20s\"\nrecovered_within = \"60s\"\n"
                          "lost_steps_at_most = 10\nroot_cause = { rank = 1, by = \"SIGKILL\" }\n"
                          "no_process_left = true\ncheckpoint_digest = \"0123abcd\"\n";
  const auto good = scene.run(
      Words{"--nproc", "2", "--faults", plan(scene, met), "--junit", scene.path("good.xml")} +
          recorded(scene, "good") + restarts("1"),
      ten_steps("0"));
  CAPTURE(good.err);
  CHECK(good.status == Status{.code = 0});
  CHECK(fields_of(scene, "expectation", "name", "good") ==
        Words{"exit", "restarts", "restarts_at_most", "detected_within", "torn_down_within",
              "recovered_within", "lost_steps_at_most", "root_cause", "all_faults_triggered",
              "no_process_left", "checkpoint_digest"});
  CHECK(fields_of(scene, "expectation", "met", "good") == Words(11, "true"));
  CHECK(contains(good.err, "injected kill "));
  CHECK(contains(good.err,
                 "ddp-launch: met     root_cause: expected rank 1 by SIGKILL, measured "
                 "rank 1 by SIGKILL\n"));
  CHECK(contains(read_file(scene.path("good.xml")), "tests=\"11\" failures=\"0\""));

  // The same run with one expectation that is not met.
  const std::string unmet = met + "exit = 3\n";
  const auto bad = scene.run(
      Words{"--nproc", "2", "--faults", plan(scene, unmet), "--junit", scene.path("bad.xml")} +
          recorded(scene, "bad") + restarts("1"),
      ten_steps("0"));
  CHECK(bad.status == Status{.code = 73});
  CHECK(contains(bad.err, "ddp-launch: NOT MET exit: expected 3, measured 0\n"));
  CHECK(fields_of(scene, "expectation", "met", "bad") == Words{"false"} + Words(10, "true"));
  CHECK(
      contains(read_file(scene.path("bad.xml")), "<failure message=\"expected 3, measured 0\"/>"));

  // An expected failure is a success.
  const std::string fails = plan(scene, faults + "exit = 137\n");
  CHECK(scene.run({"--nproc", "2", "--faults", fails}, ten_steps("0")).status == Status{.code = 0});
}

TEST_CASE("a leftover process fails no_process_left") {
  Scene scene;
  const Words flags{"--nproc", "1", "--faults", plan(scene, "[expect]\nno_process_left = true\n")};
  const Words steps = helper(
      {"fork", "[", "setsid", "print", "pid {PID}", "close", "1", "close", "2", "pause", "]"});
  CHECK(scene.run(flags, steps).status == Status{.code = 0});
  // The cleanup is switched off.
  scene.env["DDP_LAUNCH_TEST_OFF"] = "subreaper,sweep,cgroup";
  Process leaky = scene.launch(flags, steps);
  CHECK(leaky.wait_exit() == Status{.code = 73});
  kill(std::stoi(leaky.until("pid ").substr(8)), SIGKILL);
  leaky.wait();
  CHECK(contains(leaky.err(), "NOT MET no_process_left: expected none, measured 1 process"));
}

TEST_CASE("expectations are checked even if the launcher itself is killed") {
  const Scene scene;
  const auto judged = [&](const std::string& fault, const std::string& exit) {
    return plan(scene, "fault = [\"" + fault + "@step=2\"]\n[expect]\nexit = " + exit + "\n");
  };
  const Words steps = helper({"steps", "1", "2", "pause"});
  const auto run = scene.run(
      Words{"--faults", judged("kill-supervisor", "70")} + recorded(scene, "supervisor"), steps);
  CHECK(run.status == Status{.code = 0});
  CHECK(fields_of(scene, "expectation", "met", "supervisor") == Words{"true"});
  CHECK(scene.run({"--faults", judged("kill-supervisor", "0")}, steps).status ==
        Status{.code = 73});

  // An expectation that the keeper cannot check is not met.
  const auto unknown = scene.run(
      {"--faults", plan(scene,
                        "fault = [\"kill-supervisor@step=2\"]\n[expect]\nexit = 70\nrestarts = 0\n"
                        "no_process_left = true\n")},
      steps);
  CHECK(unknown.status == Status{.code = 73});
  CHECK(contains(unknown.err, "NOT MET restarts: expected 0, measured unknown"));
  CHECK(contains(unknown.err, "met     no_process_left: expected none, measured none"));

  // A killed keeper has no exit code of its run; the result is in the events.
  Process keeper = scene.launch(
      Words{"--faults", judged("kill-keeper", "137")} + recorded(scene, "keeper"), steps);
  CHECK(keeper.wait_exit() == Status{.signal = SIGKILL});
  keeper.wait_nothing_left();
  CHECK(fields_of(scene, "expectation", "met", "keeper") == Words(2, "true"));
}

TEST_CASE("the same plan and seed, or a replay, hit the same ranks at the same steps") {
  const Scene scene;
  const auto run = [&](const std::string& name, const Words& flags) {
    const auto finished =
        scene.run(Words{"--nproc", "3"} + flags + recorded(scene, name) + restarts("4"),
                  ten_steps("0,1,2,3"));
    CAPTURE(finished.err);
    CHECK(finished.status == Status{.code = 0});
    return injected(scene, name);
  };
  const Words drawn{"--inject", "kill@rank=any,step=2-9,times=4", "--fault-seed"};
  const auto first = run("first", drawn + Words{"7"});
  CHECK(first.size() == 4);
  CHECK(run("second", drawn + Words{"7"}) == first);
  CHECK(run("other", drawn + Words{"8"}) != first);
  CHECK(run("replay", {"--replay", events_path(scene, "first")}) == first);
}

TEST_CASE("the cost of a failure is reported with and without a plan") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--nproc", "2"} + restarts("1"),
                helper({"on-generation", "1", "[", "steps", "6", "8", "exit", "0", "]", "steps",
                        "1", "7", "on-rank", "1", "[", "exit", "3", "]", "pause"}));
  CHECK(run.status == Status{.code = 0});
  const auto lines = lines_of(run.err);
  std::string row;
  for (const auto& line : lines) {
    if (contains(line, "  exit 3  ")) row = line;
  }
  CAPTURE(run.err);
  // attempt, failure, rank, step … and the two repeated steps.
  CHECK(contains(row, "        0  exit 3      1     7 "));
  CHECK_FALSE(contains(run.err, " detected "));  // injected faults only
  CHECK(row.ends_with(" 2"));
  CHECK(scene.run({}, helper({"exit", "0"})).err == "");
}

TEST_CASE("a rank that exits with one of the launcher's codes is judged like any other") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "1", "--junit", scene.path("run.xml")}, helper({"exit", "70"}));
  CHECK(run.status == Status{.code = 70});
  // One plain failure needs no table.
  CHECK_FALSE(contains(run.err, "failures (times since detection)"));
  CHECK(contains(read_file(scene.path("run.xml")), "expected 0, measured 70"));
}

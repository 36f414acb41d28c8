#include "launcher/cli/options.hpp"

#include "launcher/rendezvous/run_id.hpp"
#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace ddp;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("without a flag everything has its default") {
  const Options o = FakeMachine().good({});
  CHECK(o.ranks.nproc == 1);
  CHECK(o.group.nproc == 1);
  CHECK(o.ranks.nnodes == 1);
  CHECK(o.ranks.node_rank == 0);
  CHECK(o.ranks.world_size() == 1);
  CHECK(o.ranks.first_rank() == core::GlobalRank{0});
  CHECK(o.rendezvous.master_addr == "127.0.0.1");
  CHECK_FALSE(o.rendezvous.master_port);
  CHECK(o.workers.device_type == DeviceType::cuda);
  CHECK(o.workers.devices.empty());
  CHECK_FALSE(o.workers.virtual_local_rank);
  CHECK(o.group.restart.max_restarts == 0);
  CHECK_FALSE(o.group.restart.window);
  CHECK(o.group.restart.backoff == 1s);
  CHECK(o.group.restart.max_backoff == 30s);
  CHECK(o.group.restart.crash_loop == 5);
  CHECK(o.group.shutdown_timeout == 30s);
  CHECK(o.workers.clean_shm == core::CleanSharedMemory::generated);
  CHECK_FALSE(o.hangs.limits.any());
  CHECK_FALSE(o.group.early_exit_allowed);
  CHECK(is_run_id(o.rendezvous.run_id));
  CHECK(o.output.log_dir.empty());
  CHECK(o.output.style == out::Style::prefix);
  CHECK(o.output.line_start.file.empty());
  CHECK(o.output.redirect.size() == 1);
  CHECK(o.output.tee.size() == 1);
  CHECK(o.output.shown == std::vector<bool>{true});
  CHECK_FALSE(o.workers.stdin_rank);
  CHECK_FALSE(o.output.pty);
  CHECK(o.log_level == log::Level::warn);
  CHECK_FALSE(o.dry_run);
  CHECK(o.workers.command == Words{"./worker"});
}

TEST_CASE("every flag reaches its field, as two words or with '='") {
  const std::vector<std::pair<std::string, std::string>> values{{"--nproc", "2"},
                                                                {"--nnodes", "3"},
                                                                {"--node-rank", "1"},
                                                                {"--master-addr", "host0"},
                                                                {"--master-port", "4711"},
                                                                {"--device-type", "hip"},
                                                                {"--devices", "2,5"},
                                                                {"--stdin", "3"},
                                                                {"--run-id", "night_7.a"},
                                                                {"--max-restarts", "3 in 10m"},
                                                                {"--backoff", "250ms"},
                                                                {"--max-backoff", "1m"},
                                                                {"--crash-loop", "0"},
                                                                {"--early-exit", "fail"},
                                                                {"--log-dir", "logs"},
                                                                {"--shutdown-timeout", "1.5"},
                                                                {"--clean-shm", "all"},
                                                                {"--output", "raw"},
                                                                {"--timestamps", "elapsed"},
                                                                {"--local-ranks-filter", "1"},
                                                                {"--redirects", "0:1"},
                                                                {"--tee", "1:2"},
                                                                {"--log-level", "debug"},
                                                                {"--timeout", "2h"},
                                                                {"--ready-timeout", "5m"},
                                                                {"--heartbeat-timeout", "10"},
                                                                {"--progress-timeout", "30s"},
                                                                {"--output-timeout", "90s"},
                                                                {"--on-hang", "dump {pid}"},
                                                                {"--hang-signal", "USR1"},
                                                                {"--evidence-timeout", "20"},
                                                                {"--straggler-factor", "2.5"},
                                                                {"--straggler-window", "50"}};
  Words apart{"--dry-run"};
  Words joined{"--dry-run"};
  for (const auto& [flag, value] : values) {
    apart.insert(apart.end(), {flag, value});
    joined.push_back(flag + "=" + value);
  }
  const FakeMachine machine;
  for (const Words& words : {apart, joined}) {
    const Options o = machine.good(words);
    CHECK(o.ranks.nproc == 2);
    CHECK(o.group.nproc == 2);
    CHECK(o.ranks.nnodes == 3);
    CHECK(o.ranks.node_rank == 1);
    CHECK(o.ranks.world_size() == 6);
    CHECK(o.ranks.first_rank() == core::GlobalRank{2});
    CHECK(o.rendezvous.master_addr == "host0");
    CHECK(o.rendezvous.master_port == 4711);
    CHECK(o.workers.device_type == DeviceType::hip);
    CHECK(o.workers.devices == Words{"2", "5"});
    CHECK(o.workers.stdin_rank == 1);  // rank 3 is the second one here
    CHECK(o.rendezvous.run_id == "night_7.a");
    CHECK(o.group.restart.max_restarts == 3);
    CHECK(o.group.restart.window == 10min);
    CHECK(o.group.restart.backoff == 250ms);
    CHECK(o.group.restart.max_backoff == 1min);
    CHECK(o.group.restart.crash_loop == 0);
    CHECK(o.group.early_exit_allowed == 0s);
    CHECK(o.output.log_dir == "logs");
    CHECK(o.group.shutdown_timeout == 1500ms);
    CHECK(o.workers.clean_shm == core::CleanSharedMemory::all);
    CHECK(o.output.style == out::Style::raw);
    CHECK(o.output.line_start.time == out::TimeFormat::elapsed);
    CHECK(o.output.line_start.console.has_time());
    CHECK(o.output.shown == std::vector<bool>{false, true});
    CHECK(o.output.redirect[0].out);
    CHECK_FALSE(o.output.redirect[0].err);
    CHECK_FALSE(o.output.redirect[1].out);
    CHECK(o.output.tee[1].err);
    CHECK_FALSE(o.output.tee[1].out);
    CHECK(o.log_level == log::Level::debug);
    CHECK(o.hangs.limits.run == 2h);
    CHECK(o.hangs.limits.ready == 5min);
    CHECK(o.hangs.limits.heartbeat == 10s);
    CHECK(o.hangs.limits.progress == 30s);
    CHECK(o.hangs.limits.output == 90s);
    CHECK(o.hangs.on_hang == "dump {pid}");
    CHECK(o.hangs.hang_signal == 10);
    CHECK(o.group.evidence_timeout == 20s);
    CHECK(o.hangs.straggler.factor == 2.5);
    CHECK(o.hangs.straggler.window == 50);
    CHECK(o.dry_run);
  }
}

TEST_CASE("aliases, short names and torchrun's underscores are the same flags") {
  const FakeMachine machine;
  for (const char* name : {"--nproc", "--nproc-per-node", "--nproc_per_node"})
    CHECK(machine.good({name, "4"}).ranks.nproc == 4);
  CHECK(machine.good({"--max_restarts=2"}).group.restart.max_restarts == 2);
  CHECK(machine.good({"--grace-period", "5"}).group.shutdown_timeout == 5s);
  CHECK(machine.good({"--grace_period", "5"}).group.shutdown_timeout == 5s);
  CHECK(machine.good({"--log_dir", "d", "-r", "3"}).output.redirect[0].err);
  CHECK(machine.good({"--log-dir", "d", "-t3"}).output.tee[0].out);
  CHECK(machine.refused({"--nproc", "2", "--nproc_per_node", "3"}) ==
        "--nproc is given twice: '2' and '3': expected one value");
}

TEST_CASE("what follows the program is the program's") {
  const FakeMachine machine;
  const auto command = [&](const Words& words) {
    auto parsed = machine.parse(words);
    REQUIRE(std::holds_alternative<Options>(parsed));
    return std::get<Options>(parsed).workers.command;
  };
  CHECK(command({"--nproc", "2", "./w", "--nproc", "9", "--help"}) ==
        Words{"./w", "--nproc", "9", "--help"});
  CHECK(command({"--", "./w", "--version", "--", "-x"}) == Words{"./w", "--version", "--", "-x"});
  CHECK(command({"./w", "--", "--bogus", "--nproc="}) == Words{"./w", "--", "--bogus", "--nproc="});
  CHECK(command({"--", "--odd-name", "-r"}) == Words{"--odd-name", "-r"});
  CHECK(command({"--", "--", "x"}) == Words{"--", "x"});
  CHECK(command({"--dry-run", "./w"}) == Words{"./w"});
  CHECK(command({"./w", ""}) == Words{"./w", ""});
  CHECK(command({"./w", "[a,b]", "a,b", "two words\n"}) ==
        Words{"./w", "[a,b]", "a,b", "two words\n"});
}

TEST_CASE("--help and --version answer on stdout with 0, whatever else is wrong") {
  const FakeMachine machine;
  for (const Words& words : {Words{"--help"}, Words{"-h"}, Words{"--bogus", "--help"},
                             Words{"--nproc", "many", "-h", "--", "./w"}}) {
    const auto parsed = machine.parse(words);
    REQUIRE(std::holds_alternative<ExitNow>(parsed));
    CHECK(std::get<ExitNow>(parsed).code == 0);
    CHECK(std::get<ExitNow>(parsed).text.find("Usage: ddp-launch") != std::string::npos);
  }
  const auto parsed = machine.parse({"--version"});
  REQUIRE(std::holds_alternative<ExitNow>(parsed));
  CHECK(std::get<ExitNow>(parsed).code == 0);
  CHECK(std::get<ExitNow>(parsed).text.starts_with("ddp-launch "));
}

TEST_CASE("--nproc counts what is there") {
  FakeMachine machine;
  CHECK(machine.good({"--nproc", "cpu"}).ranks.nproc == 6);
  CHECK(machine.good({"--nproc", "auto"}).ranks.nproc == 6);
  CHECK(machine.refused({"--nproc", "gpu"}) ==
        "--nproc is 'gpu': expected a number, because no cuda device is seen here");
  machine.gpus(4);
  CHECK(machine.good({"--nproc", "auto"}).ranks.nproc == 4);
  CHECK(machine.good({"--nproc", "gpu"}).ranks.nproc == 4);
  CHECK(machine.good({"--nproc", "cpu"}).ranks.nproc == 6);
  CHECK(machine.good({"--nproc", "auto", "--device-type", "cpu"}).ranks.nproc == 6);
  CHECK(machine.good({"--nproc", "gpu", "--devices", "1,3"}).ranks.nproc == 2);
  const std::pair<const char*, int> listed[] = {{"2,3", 2},
                                                {"0", 1},
                                                {"0,1,2,3,4,5", 4},
                                                {"1,-1,2", 1},
                                                {"MIG-a,MIG-b,MIG-c,MIG-d,MIG-e", 5},
                                                {"GPU-aa,GPU-bb", 2}};
  for (const auto& [value, count] : listed) {
    CAPTURE(value);
    machine.environment["CUDA_VISIBLE_DEVICES"] = value;
    CHECK(machine.good({"--nproc", "gpu"}).ranks.nproc == count);
  }
  for (const char* none : {"", "-1", "NoDevFiles"}) {
    machine.environment["CUDA_VISIBLE_DEVICES"] = none;
    CHECK(machine.good({"--nproc", "auto"}).ranks.nproc == 6);
    CHECK(machine.refused({"--nproc", "gpu"}).find("no cuda device") != std::string::npos);
  }
}

TEST_CASE("--devices counts what is visible and gives each rank one") {
  FakeMachine machine;
  CHECK(machine.good({"--devices", "0-2,7", "--nproc", "4"}).workers.devices ==
        Words{"0", "1", "2", "7"});
  CHECK(machine.good({"--devices", "2,5", "--nproc", "1"}).workers.devices == Words{"2", "5"});
  machine.environment["CUDA_VISIBLE_DEVICES"] = "4,5,6";
  CHECK(machine.good({"--devices", "2,0", "--nproc", "2"}).workers.devices == Words{"6", "4"});
  CHECK(machine.refused({"--devices", "3"}) ==
        "--devices is '3': expected indices 0 to 2, because CUDA_VISIBLE_DEVICES shows 3, not '3'");
  // Another kind of device has its own variable.
  CHECK(machine.good({"--devices", "3", "--device-type", "hip"}).workers.devices == Words{"3"});
  machine.environment["CUDA_VISIBLE_DEVICES"] = "";
  CHECK(
      machine.refused({"--devices", "0"}) ==
      "--devices is '0': expected no device at all, because CUDA_VISIBLE_DEVICES hides every one");
}

TEST_CASE("--virtual-local-rank finds a device for each rank or says that it cannot") {
  FakeMachine machine;
  CHECK(
      machine.refused({"--virtual-local-rank", "--nproc", "2"}) ==
      "--virtual-local-rank needs 2 devices, one for each rank, and sees 0: expected --devices to "
      "name them, or --device-type cpu");
  CHECK(machine.refused({"--virtual-local-rank", "--device-type", "ze"}) ==
        "--virtual-local-rank needs a device, one for each rank, and cannot count them here: "
        "expected --devices to name them, or --device-type cpu");
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2", "--device-type", "cpu"})
            .workers.devices.empty());
  machine.gpus(2);
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2"}).workers.devices == Words{"0", "1"});
  CHECK(machine.refused({"--virtual-local-rank", "--nproc", "3"}).find("sees 2") !=
        std::string::npos);
  machine.environment["CUDA_VISIBLE_DEVICES"] = "7,3";
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2"}).workers.devices == Words{"7", "3"});
  CHECK(machine.refused({"--virtual-local-rank", "--nproc", "3", "--devices", "0,1"}) ==
        "--devices is '0,1': expected 3 devices, one for each rank of this machine, or "
        "--oversubscribe to share them");
}

TEST_CASE(
    "--oversubscribe lets ranks share what devices there are, and does nothing where there "
    "are enough") {
  FakeMachine machine;
  CHECK(
      machine.good({"--oversubscribe", "--nproc", "3"}).workers.share_devices);  // none known here
  machine.gpus(2);
  CHECK_FALSE(machine.good({"--nproc", "3"}).workers.share_devices);
  CHECK_FALSE(machine.good({"--oversubscribe", "--nproc", "3", "--device-type", "cpu"})
                  .workers.share_devices);
  CHECK(machine.good({"--oversubscribe", "--nproc", "3"}).workers.share_devices);
  CHECK_FALSE(machine.good({"--oversubscribe", "--nproc", "2"}).workers.share_devices);
  const auto shared = machine.good({"--oversubscribe", "--nproc", "3", "--devices", "1"});
  CHECK(shared.workers.share_devices);
  CHECK(shared.workers.devices == Words{"1"});
  CHECK(machine.good({"--oversubscribe", "--nproc", "5", "--virtual-local-rank"}).workers.devices ==
        Words{"0", "1", "0", "1", "0"});
  CHECK(machine.good({"--oversubscribe", "--nproc", "3", "--virtual-local-rank", "--devices", "1"})
            .workers.devices == Words{"1", "1", "1"});
}

TEST_CASE("two launches make the table of ranks") {
  const FakeMachine machine;
  const Words job{"--nnodes",      "2",     "--nproc", "2", "--master-addr", "127.0.0.1",
                  "--master-port", "29500", "--stdin", "2", "--node-rank"};
  Words first = job;
  first.push_back("0");
  Words second = job;
  second.push_back("1");
  const Options a = machine.good(first);
  const Options b = machine.good(second);
  CHECK(a.ranks.first_rank() == core::GlobalRank{0});
  CHECK(b.ranks.first_rank() == core::GlobalRank{2});
  CHECK(a.ranks.world_size() == 4);
  CHECK_FALSE(a.workers.stdin_rank);
  CHECK(b.workers.stdin_rank == 0);
}

TEST_CASE("where a stream is both redirected and teed, tee wins as with torchrun") {
  const Options o = FakeMachine().good({"--log-dir", "d", "--nproc", "2", "-r", "3", "-t", "0:1"});
  CHECK_FALSE(o.output.redirect[0].out);
  CHECK(o.output.redirect[0].err);
  CHECK(o.output.redirect[1].out);
  CHECK(o.output.tee[0].out);
  CHECK_FALSE(o.output.tee[0].err);
}

TEST_CASE("a longer first wait lifts the usual limit of waits") {
  const Options o = FakeMachine().good({"--backoff", "2m"});
  CHECK(o.group.restart.backoff == 2min);
  CHECK(o.group.restart.max_backoff == 2min);
}

TEST_CASE("the log level comes from the flag, then the environment, then the file") {
  FakeMachine machine;
  machine.file("run.toml", "log-level = \"error\"\n");
  const std::string config = machine.root / "run.toml";
  CHECK(machine.good({"--config", config}).log_level == log::Level::error);
  machine.environment["DDP_LAUNCH_LOG"] = "info";
  CHECK(machine.good({"--config", config}).log_level == log::Level::info);
  CHECK(machine.good({"--log-level", "off"}).log_level == log::Level::off);
  machine.environment["DDP_LAUNCH_LOG"] = "loud";
  CHECK(machine.refused({}) ==
        "DDP_LAUNCH_LOG is 'loud': expected trace, debug, info, warn, error or off");
  machine.environment["DDP_LAUNCH_LOG"] = "";
  CHECK(machine.good({}).log_level == log::Level::warn);
}

TEST_CASE(
    "a flag that may be given several times: in order, and the command line's alone where it has "
    "any") {
  FakeMachine machine;
  machine.file("run.toml", "nproc = 4\ninject = [\"kill@step=1\", \"stop@rank=3\"]\n");
  const std::string config = machine.root / "run.toml";
  const auto kinds = [](const Options& options) {
    std::vector<fault::Kind> all;
    for (const auto& spec : options.faults.plan.faults) all.push_back(spec.kind);
    return all;
  };
  using fault::Kind;
  CHECK(kinds(machine.good({"--config", config})) == std::vector{Kind::kill, Kind::stop});
  CHECK(kinds(machine.good({"--config", config, "--inject", "pin=0", "--inject=abort"})) ==
        std::vector{Kind::pin, Kind::abort});
  machine.file("one.toml", "inject = \"kill@step=1\"\n");
  CHECK(kinds(machine.good({"--config", (machine.root / "one.toml").string()})) ==
        std::vector{Kind::kill});
  CHECK(machine.good({"--inject", "kill@rank=any", "--fault-seed", "9"}).faults.plan.seed == 9);
  CHECK(machine.good({}).faults.plan.faults.empty());
}

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

TEST_CASE("how a group is stopped and restarted") {
  const FakeMachine machine;
  const Options o = machine.good({"--restart-on", "1,100-102,SIGKILL", "--no-restart-on", "ILL,78",
                                  "--restart-after", "ready", "--early-exit", "fail after 30s",
                                  "--linger-timeout", "250ms", "--stop-signal", "USR1",
                                  "--stop-signal-to", "group", "--graceful-exit-code", "0"});
  CHECK(o.group.restart.restart_on == std::vector<int>{1, 100, 101, 102, 137});
  CHECK(o.group.restart.no_restart_on == std::vector<int>{132, 78});
  CHECK(o.group.restart.restart_after_ready);
  CHECK(o.group.early_exit_allowed == 30s);
  CHECK(o.group.linger_timeout == 250ms);
  CHECK(o.group.stop_signal == SIGUSR1);
  CHECK(o.workers.stop_scope == StopScope::group);
  CHECK(o.group.graceful_exit_code == 0);
  CHECK(machine.good({"--restart-after", "10m"}).group.restart.restart_after == 10min);
}

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

#include "launcher/options.hpp"

#include "launcher/flags.hpp"
#include "launcher/run_id.hpp"
#include "tests/unit/options_fixture.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace ddp;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("without a flag everything has its default") {
  const Options o = FakeMachine().good({});
  CHECK(o.nproc == 1);
  CHECK(o.group.nproc == 1);
  CHECK(o.nnodes == 1);
  CHECK(o.node_rank == 0);
  CHECK(o.world_size() == 1);
  CHECK(o.first_rank() == 0);
  CHECK(o.master_addr == "127.0.0.1");
  CHECK_FALSE(o.master_port);
  CHECK(o.device_type == DeviceType::cuda);
  CHECK(o.devices.empty());
  CHECK_FALSE(o.virtual_local_rank);
  CHECK(o.group.restart.max_restarts == 0);
  CHECK_FALSE(o.group.restart.window);
  CHECK(o.group.restart.backoff == 1s);
  CHECK(o.group.restart.max_backoff == 30s);
  CHECK(o.group.restart.crash_loop == 5);
  CHECK(o.group.shutdown_timeout == 30s);
  CHECK_FALSE(o.group.early_exit_fails);
  CHECK(is_run_id(o.run_id));
  CHECK(o.log_dir.empty());
  CHECK(o.output == out::Style::prefix);
  CHECK(o.redirect.size() == 1);
  CHECK(o.tee.size() == 1);
  CHECK(o.shown == std::vector<bool>{true});
  CHECK_FALSE(o.stdin_rank);
  CHECK(o.log_level == log::Level::warn);
  CHECK_FALSE(o.dry_run);
  CHECK(o.command == Words{"./worker"});
}

TEST_CASE("every flag reaches its field, as two words or with '='") {
  const std::vector<std::pair<std::string, std::string>> values{
      {"--nproc", "2"},          {"--nnodes", "3"},
      {"--node-rank", "1"},      {"--master-addr", "host0"},
      {"--master-port", "4711"}, {"--device-type", "hip"},
      {"--devices", "2,5"},      {"--stdin", "3"},
      {"--run-id", "night_7.a"}, {"--max-restarts", "3 in 10m"},
      {"--backoff", "250ms"},    {"--max-backoff", "1m"},
      {"--crash-loop", "0"},     {"--early-exit", "fail"},
      {"--log-dir", "logs"},     {"--shutdown-timeout", "1.5"},
      {"--output", "raw"},       {"--local-ranks-filter", "1"},
      {"--redirects", "0:1"},    {"--tee", "1:2"},
      {"--log-level", "debug"}};
  Words apart{"--dry-run"};
  Words joined{"--dry-run"};
  for (const auto& [flag, value] : values) {
    apart.insert(apart.end(), {flag, value});
    joined.push_back(flag + "=" + value);
  }
  const FakeMachine machine;
  for (const Words& words : {apart, joined}) {
    const Options o = machine.good(words);
    CHECK(o.nproc == 2);
    CHECK(o.group.nproc == 2);
    CHECK(o.nnodes == 3);
    CHECK(o.node_rank == 1);
    CHECK(o.world_size() == 6);
    CHECK(o.first_rank() == 2);
    CHECK(o.master_addr == "host0");
    CHECK(o.master_port == 4711);
    CHECK(o.device_type == DeviceType::hip);
    CHECK(o.devices == Words{"2", "5"});
    CHECK(o.stdin_rank == 1);  // rank 3 is the second one here
    CHECK(o.run_id == "night_7.a");
    CHECK(o.group.restart.max_restarts == 3);
    CHECK(o.group.restart.window == 10min);
    CHECK(o.group.restart.backoff == 250ms);
    CHECK(o.group.restart.max_backoff == 1min);
    CHECK(o.group.restart.crash_loop == 0);
    CHECK(o.group.early_exit_fails);
    CHECK(o.log_dir == "logs");
    CHECK(o.group.shutdown_timeout == 1500ms);
    CHECK(o.output == out::Style::raw);
    CHECK(o.shown == std::vector<bool>{false, true});
    CHECK(o.redirect[0].out);
    CHECK_FALSE(o.redirect[0].err);
    CHECK_FALSE(o.redirect[1].out);
    CHECK(o.tee[1].err);
    CHECK_FALSE(o.tee[1].out);
    CHECK(o.log_level == log::Level::debug);
    CHECK(o.dry_run);
  }
}

TEST_CASE("aliases, short names and torchrun's underscores are the same flags") {
  const FakeMachine machine;
  for (const char* name : {"--nproc", "--nproc-per-node", "--nproc_per_node"})
    CHECK(machine.good({name, "4"}).nproc == 4);
  CHECK(machine.good({"--max_restarts=2"}).group.restart.max_restarts == 2);
  CHECK(machine.good({"--grace-period", "5"}).group.shutdown_timeout == 5s);
  CHECK(machine.good({"--grace_period", "5"}).group.shutdown_timeout == 5s);
  CHECK(machine.good({"--log_dir", "d", "-r", "3"}).redirect[0].err);
  CHECK(machine.good({"--log-dir", "d", "-t3"}).tee[0].out);
  CHECK(machine.refused({"--nproc", "2", "--nproc_per_node", "3"}) ==
        "--nproc is given twice: '2' and '3': expected one value");
}

TEST_CASE("what follows the program is the program's") {
  const FakeMachine machine;
  const auto command = [&](const Words& words) {
    auto parsed = machine.parse(words);
    REQUIRE(std::holds_alternative<Options>(parsed));
    return std::get<Options>(parsed).command;
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
  CHECK(machine.good({"--nproc", "cpu"}).nproc == 6);
  CHECK(machine.good({"--nproc", "auto"}).nproc == 6);
  CHECK(machine.refused({"--nproc", "gpu"}) ==
        "--nproc is 'gpu': expected a number, because no cuda device is seen here");
  machine.gpus(4);
  CHECK(machine.good({"--nproc", "auto"}).nproc == 4);
  CHECK(machine.good({"--nproc", "gpu"}).nproc == 4);
  CHECK(machine.good({"--nproc", "cpu"}).nproc == 6);
  CHECK(machine.good({"--nproc", "auto", "--device-type", "cpu"}).nproc == 6);
  CHECK(machine.good({"--nproc", "gpu", "--devices", "1,3"}).nproc == 2);
  const std::pair<const char*, int> listed[] = {{"2,3", 2},
                                                {"0", 1},
                                                {"0,1,2,3,4,5", 4},
                                                {"1,-1,2", 1},
                                                {"MIG-a,MIG-b,MIG-c,MIG-d,MIG-e", 5},
                                                {"GPU-aa,GPU-bb", 2}};
  for (const auto& [value, count] : listed) {
    CAPTURE(value);
    machine.environment["CUDA_VISIBLE_DEVICES"] = value;
    CHECK(machine.good({"--nproc", "gpu"}).nproc == count);
  }
  for (const char* none : {"", "-1", "NoDevFiles"}) {
    machine.environment["CUDA_VISIBLE_DEVICES"] = none;
    CHECK(machine.good({"--nproc", "auto"}).nproc == 6);
    CHECK(machine.refused({"--nproc", "gpu"}).find("no cuda device") != std::string::npos);
  }
}

TEST_CASE("--devices counts what is visible and gives each rank one") {
  FakeMachine machine;
  CHECK(machine.good({"--devices", "0-2,7", "--nproc", "4"}).devices == Words{"0", "1", "2", "7"});
  CHECK(machine.good({"--devices", "2,5", "--nproc", "1"}).devices == Words{"2", "5"});
  machine.environment["CUDA_VISIBLE_DEVICES"] = "4,5,6";
  CHECK(machine.good({"--devices", "2,0", "--nproc", "2"}).devices == Words{"6", "4"});
  CHECK(machine.refused({"--devices", "3"}) ==
        "--devices is '3': expected indices 0 to 2, because CUDA_VISIBLE_DEVICES shows 3, not '3'");
  // Another kind of device has its own variable.
  CHECK(machine.good({"--devices", "3", "--device-type", "hip"}).devices == Words{"3"});
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
            .devices.empty());
  machine.gpus(2);
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2"}).devices == Words{"0", "1"});
  CHECK(machine.refused({"--virtual-local-rank", "--nproc", "3"}).find("sees 2") !=
        std::string::npos);
  machine.environment["CUDA_VISIBLE_DEVICES"] = "7,3";
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2"}).devices == Words{"7", "3"});
  CHECK(machine.refused({"--virtual-local-rank", "--nproc", "3", "--devices", "0,1"}) ==
        "--devices is '0,1': expected 3 devices, one for each rank of this machine");
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
  CHECK(a.first_rank() == 0);
  CHECK(b.first_rank() == 2);
  CHECK(a.world_size() == 4);
  CHECK_FALSE(a.stdin_rank);
  CHECK(b.stdin_rank == 0);
}

TEST_CASE("where a stream is both redirected and teed, tee wins as with torchrun") {
  const Options o = FakeMachine().good({"--log-dir", "d", "--nproc", "2", "-r", "3", "-t", "0:1"});
  CHECK_FALSE(o.redirect[0].out);
  CHECK(o.redirect[0].err);
  CHECK(o.redirect[1].out);
  CHECK(o.tee[0].out);
  CHECK_FALSE(o.tee[0].err);
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

TEST_CASE("every refusal is one line: the flag, its value, what is allowed") {
  const FakeMachine machine;
  const std::vector<std::pair<Words, std::string>> cases{
      {{"--nproc", "many"},
       "--nproc is 'many': expected a number from 1 to 4096, or auto, cpu, gpu"},
      {{"--nproc", "0"}, "--nproc is '0': expected a number from 1 to 4096, or auto, cpu, gpu"},
      {{"--nproc", "-1"}, "--nproc is '-1': expected a number from 1 to 4096, or auto, cpu, gpu"},
      {{"--nproc=4097"}, "--nproc is '4097': expected a number from 1 to 4096, or auto, cpu, gpu"},
      {{"--nproc", "4 "}, "--nproc is '4 ': expected a number from 1 to 4096, or auto, cpu, gpu"},
      {{"--nproc", "a\nb"},
       "--nproc is 'a b': expected a number from 1 to 4096, or auto, cpu, gpu"},
      {{"--nproc="}, "--nproc needs a value"},
      {{"--log-dir", "--nproc", "2"}, "--log-dir needs a value, not '--nproc'"},
      {{"--nnodes", "0"}, "--nnodes is '0': expected an integer from 1 to 65536"},
      {{"--nnodes", "2"},
       "--nnodes is '2': expected --master-addr and --master-port beside it, to say where rank 0 "
       "listens"},
      {{"--nnodes", "2", "--master-port", "1"},
       "--nnodes is '2': expected --master-addr beside it, to say where rank 0 listens"},
      {{"--nnodes", "2", "--master-addr", "h"},
       "--nnodes is '2': expected --master-port beside it, to say where rank 0 listens"},
      {{"--node-rank", "x"}, "--node-rank is 'x': expected an integer from 0 to 65535"},
      {{"--node-rank", "1"}, "--node-rank is '1': expected 0, because --nnodes is 1"},
      {{"--node-rank", "2", "--nnodes", "2", "--master-addr", "h", "--master-port", "1"},
       "--node-rank is '2': expected 0 to 1, because --nnodes is 2"},
      {{"--master-addr", ""}, "--master-addr is '': expected a host name or an IP address"},
      {{"--master-addr", "a b"}, "--master-addr is 'a b': expected a host name or an IP address"},
      {{"--master-port", "0"}, "--master-port is '0': expected an integer from 1 to 65535"},
      {{"--master-port", "65536"}, "--master-port is '65536': expected an integer from 1 to 65535"},
      {{"--device-type", "tpu"}, "--device-type is 'tpu': expected cpu, cuda, ascend, hip or ze"},
      {{"--device-type", "cpu", "--devices", "0"},
       "--devices is '0': expected no devices beside --device-type cpu, which has none to choose"},
      {{"--devices", "2,2"}, "--devices is '2,2': expected each device once, not '2' twice"},
      {{"--devices", "1,0-3"}, "--devices is '1,0-3': expected each device once, not '1' twice"},
      {{"--devices", "2;5"},
       "--devices is '2;5': expected indices, ranges or UUIDs, such as 2,5 or 0-3 or GPU-8a1b, not "
       "'2;5'"},
      {{"--devices", "2,5", "--nproc", "4"},
       "--devices is '2,5': expected 4 devices, one for each rank of this machine"},
      {{"--stdin", "1"}, "--stdin is '1': expected rank 0, the only one"},
      {{"--stdin", "4", "--nproc", "4"}, "--stdin is '4': expected a rank from 0 to 3"},
      {{"--stdin", "none"}, "--stdin is 'none': expected rank 0, the only one"},
      {{"--run-id", "../x"},
       "--run-id is '../x': expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a "
       "letter, digit or '_'"},
      {{"--max-restarts", "-1"},
       "--max-restarts is '-1': expected a number from 0 to 1000000, or a number in a time such as "
       "'3 in 10m'"},
      {{"--max-restarts", "3 in 0s"},
       "--max-restarts is '3 in 0s': expected a number from 0 to 1000000, or a number in a time "
       "such as '3 in 10m'"},
      {{"--max-restarts", "3 in"},
       "--max-restarts is '3 in': expected a number from 0 to 1000000, or a number in a time such "
       "as '3 in 10m'"},
      {{"--backoff", "1 s"},
       "--backoff is '1 s': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"},
      {{"--max-backoff", "-1"},
       "--max-backoff is '-1': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"},
      {{"--backoff", "2s", "--max-backoff", "1s"},
       "--max-backoff is '1s': expected no less than --backoff"},
      {{"--crash-loop", "x"}, "--crash-loop is 'x': expected an integer from 0 to 1000000"},
      {{"--early-exit", "no"}, "--early-exit is 'no': expected ok or fail"},
      {{"--shutdown-timeout", "soon"},
       "--shutdown-timeout is 'soon': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"},
      {{"--output", "json"}, "--output is 'json': expected prefix, raw or none"},
      {{"--local-ranks-filter", "2", "--nproc", "2"},
       "--local-ranks-filter is '2': expected local ranks 0 to 1 (--nproc is 2), such as 0 or 0,2 "
       "or 0-3, not '2'"},
      {{"--log-dir", ""}, "--log-dir is '': expected a directory"},
      {{"-r", "3"}, "--redirects is '3': expected --log-dir beside it, to say where the files go"},
      {{"-t", "0:2"}, "--tee is '0:2': expected --log-dir beside it, to say where the files go"},
      {{"-r", "4", "--log-dir", "d"},
       "--redirects is '4': expected 0, 1, 2 or 3, or a map such as 0:3,1:2"},
      {{"-t", "0:3,2:1", "--nproc", "2", "--log-dir", "d"},
       "--tee is '0:3,2:1': expected local ranks 0 to 1 (--nproc is 2), not '2'"},
      {{"--log-level", "loud"},
       "--log-level is 'loud': expected trace, debug, info, warn, error or off"},
      {{"--dry-run=yes"}, "--dry-run is 'yes': expected no value"},
      {{"--dry-run", "--dry-run"}, "--dry-run is given twice"},
      {{"--config", "/nowhere/run.toml"},
       "--config is '/nowhere/run.toml': expected a readable TOML file: No such file or directory"},
      {{"--config", "/"}, "--config is '/': expected a readable TOML file: Is a directory"},
  };
  for (const auto& [words, line] : cases) CHECK(machine.refused(words) == line);
}

TEST_CASE("a program is needed, and an unknown flag is no program") {
  const FakeMachine machine;
  const std::string none =
      "no program is given: expected ddp-launch [options] -- PROGRAM [arguments]; see ddp-launch "
      "--help";
  CHECK(machine.refused({}, false) == none);
  CHECK(machine.refused({"--nproc", "2", "--"}, false) == none);
  CHECK(machine.refused({"--", ""}, false) ==
        "the program is '': expected the name or path of an executable");
  CHECK(machine.refused({"--nproc"}, false) == "--nproc needs a value");
  CHECK(machine.refused({"-r"}, false) == "--redirects needs a value");
  const auto unknown = [](const std::string& name, const std::string& guess) {
    return "unknown option '" + name + "'" + guess +
           ": see ddp-launch --help; a program's own options go behind its name";
  };
  CHECK(machine.refused({"--npoc", "2"}) == unknown("--npoc", " (did you mean --nproc?)"));
  CHECK(machine.refused({"--max-restart=2"}) ==
        unknown("--max-restart", " (did you mean --max-restarts?)"));
  CHECK(machine.refused({"--bogus"}) == unknown("--bogus", ""));
  CHECK(machine.refused({"-x", "-y"}) == unknown("-x", ""));
  CHECK(machine.refused({"-3"}) == unknown("-3", ""));
}

TEST_CASE("no flag may be abbreviated: an abbreviation might be the script's own") {
  const FakeMachine machine;
  std::set<std::string> names;
  for (const FlagSpec& spec : flag_table())
    for_each_name(spec, [&](std::string_view name) {
      if (name.starts_with("--")) names.emplace(name);
    });
  for (const std::string& name : names) {
    for (std::size_t length = 3; length < name.size(); ++length) {
      const std::string cut = name.substr(0, length);
      if (names.count(cut) != 0) continue;
      CHECK(machine.refused({cut, "1"}).starts_with("unknown option '" + cut));
    }
  }
}

TEST_CASE("any words either parse or are refused in one line") {
  FakeMachine machine;
  machine.gpus(3);
  machine.environment["CUDA_VISIBLE_DEVICES"] = "0,1";
  std::mt19937 random(11);
  Words pieces{"--",  "",         "-",   "=",   "1",   "0:3,1:1", "0-3",      "auto",
               "./w", "3 in 10m", "-1",  "x=y", "--=", "---",     "\xff\xfe", "9999999999999999999",
               ",",   ":",        "-r3", "-rt", "0,1", "--no",    "[a]",      "[]",
               "{}"};
  for (const FlagSpec& spec : flag_table())
    for_each_name(spec, [&](std::string_view name) {
      // Reading the file a random word names is the file system's test.
      if (name != "--config") pieces.emplace_back(name);
    });
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    Words words;
    for (std::size_t i = random() % 7; i > 0; --i) {
      std::string word = pieces[random() % pieces.size()];
      if (random() % 4 == 0) word += "=" + pieces[random() % pieces.size()];
      words.push_back(word);
    }
    const auto parsed = machine.parse(words);
    if (const auto* leave = std::get_if<ExitNow>(&parsed)) {
      if (leave->code == 0) continue;
      CHECK(leave->code == 2);
      CHECK(leave->text.starts_with("ddp-launch: "));
      CHECK(leave->text.find('\n') == leave->text.size() - 1);
    } else {
      ++accepted;
      const auto& o = std::get<Options>(parsed);
      CHECK_FALSE(o.command.empty());
      CHECK(o.shown.size() == static_cast<std::size_t>(o.nproc));
      CHECK(o.redirect.size() == o.shown.size());
      CHECK(o.tee.size() == o.shown.size());
      CHECK(is_run_id(o.run_id));
    }
  }
  CHECK(accepted > 100);
}

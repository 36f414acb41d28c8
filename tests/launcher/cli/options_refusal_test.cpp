#include "launcher/cli/flags.hpp"
#include "launcher/cli/options.hpp"
#include "launcher/rendezvous/run_id.hpp"
#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace ddp;
using Words = std::vector<std::string>;

TEST_CASE("every refusal is one line: the flag, its value, what is allowed") {
  const FakeMachine machine;
  const std::vector<std::pair<Words, std::string>> cases{
      {{"--nproc", "many"},
       "--nproc is 'many': expected a number from 1 to 4096, or auto, cpu, gpu, xpu"},
      {{"--nproc", "0"},
       "--nproc is '0': expected a number from 1 to 4096, or auto, cpu, gpu, xpu"},
      {{"--nproc", "-1"},
       "--nproc is '-1': expected a number from 1 to 4096, or auto, cpu, gpu, xpu"},
      {{"--nproc=4097"},
       "--nproc is '4097': expected a number from 1 to 4096, or auto, cpu, gpu, xpu"},
      {{"--nproc", "4 "},
       "--nproc is '4 ': expected a number from 1 to 4096, or auto, cpu, gpu, xpu"},
      {{"--nproc", "a\nb"},
       "--nproc is 'a b': expected a number from 1 to 4096, or auto, cpu, gpu, xpu"},
      {{"--nproc="}, "--nproc needs a value"},
      {{"--log-dir", "--nproc", "2"}, "--log-dir needs a value, not '--nproc'"},
      {{"--nnodes", "0"},
       "--nnodes is '0': expected a number from 1 to 65536, or a range such as 2:2"},
      {{"--nnodes", "2", "--master-port", "1"},
       "--nnodes is '2': requires --master-addr, where rank 0 listens"},
      {{"--node-rank", "x"}, "--node-rank is 'x': expected an integer from 0 to 65535"},
      {{"--node-rank", "1"}, "--node-rank is '1': expected 0, because --nnodes is 1"},
      {{"--node-rank", "2", "--nnodes", "2", "--master-addr", "h", "--master-port", "1"},
       "--node-rank is '2': expected 0 to 1, because --nnodes is 2"},
      {{"--master-addr", ""}, "--master-addr is '': expected a host name or an IP address"},
      {{"--master-addr", "a b"}, "--master-addr is 'a b': expected a host name or an IP address"},
      {{"--clean-shm", "some"}, "--clean-shm is 'some': expected none, generated or all"},
      {{"--master-port", "0"}, "--master-port is '0': expected an integer from 1 to 65535"},
      {{"--master-port", "65536"}, "--master-port is '65536': expected an integer from 1 to 65535"},
      {{"--device-type", "tpu"},
       "--device-type is 'tpu': expected cpu, cuda, ascend, npu, hip or ze"},
      {{"--device-type", "cpu", "--devices", "0"},
       "--devices is '0': expected no --devices with --device-type cpu, which has none to choose"},
      {{"--devices", "2,2"}, "--devices is '2,2': expected each device once, not '2' twice"},
      {{"--devices", "1,0-3"}, "--devices is '1,0-3': expected each device once, not '1' twice"},
      {{"--devices", "2;5"},
       "--devices is '2;5': expected indices, ranges or UUIDs, such as 2,5 or 0-3 or GPU-8a1b, not "
       "'2;5'"},
      {{"--devices", "2,5", "--nproc", "4"},
       "--devices is '2,5': expected 4 devices, one for each rank of this machine, "
       "or --oversubscribe to share them"},
      {{"--stdin", "1"}, "--stdin is '1': expected rank 0, the only one"},
      {{"--stdin", "4", "--nproc", "4"}, "--stdin is '4': expected a rank from 0 to 3"},
      {{"--stdin", "none"}, "--stdin is 'none': expected rank 0, the only one"},
      {{"--run-id", "../x"},
       "--run-id is '../x': expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a "
       "letter, digit or '_'"},
      {{"--progress-timeout", "soon"},
       "--progress-timeout is 'soon': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"},
      {{"--on-hang", ""}, "--on-hang is '': expected a shell command, or none"},
      {{"--hang-signal", "KILL"},
       "--hang-signal is 'KILL': expected a signal that a program can handle, such as USR1"},
      {{"--hang-signal", "USR3"},
       "--hang-signal is 'USR3': expected a signal that a program can handle, such as USR1"},
      {{"--straggler-factor", "1"},
       "--straggler-factor is '1': expected a number from 1.1 to 1000"},
      {{"--straggler-factor", "nan"},
       "--straggler-factor is 'nan': expected a number from 1.1 to 1000"},
      {{"--straggler-window", "1"},
       "--straggler-window is '1': expected an integer from 5 to 10000"},
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
      {{"--early-exit", "no"},
       "--early-exit is 'no': expected ok, fail, or a time such as 'fail after 30s'"},
      {{"--early-exit", "fail after x"},
       "--early-exit is 'fail after x': expected ok, fail, or a time such as 'fail after 30s'"},
      {{"--stop-signal", "KILL"},
       "--stop-signal is 'KILL': expected a signal that a program can handle, such as USR1"},
      {{"--stop-signal-to", "all"}, "--stop-signal-to is 'all': expected rank or group"},
      {{"--graceful-exit-code", "256"},
       "--graceful-exit-code is '256': expected an integer from 0 to 255"},
      {{"--linger-timeout", "x"},
       "--linger-timeout is 'x': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"},
      {{"--restart-on", "0"},
       "--restart-on is '0': expected exit codes 1 to 255, ranges and signals, such as "
       "78,100-110,SIGILL"},
      {{"--no-restart-on", "110-100"},
       "--no-restart-on is '110-100': expected exit codes 1 to 255, ranges and signals, such as "
       "78,100-110,SIGILL"},
      {{"--no-restart-on", "1,"},
       "--no-restart-on is '1,': expected exit codes 1 to 255, ranges and signals, such as "
       "78,100-110,SIGILL"},
      {{"--restart-after", "soon"},
       "--restart-after is 'soon': expected ready, or a time such as 30s"},
      {{"--shutdown-timeout", "soon"},
       "--shutdown-timeout is 'soon': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"},
      {{"--output", "json"}, "--output is 'json': expected prefix, raw or none"},
      {{"--prefix", "{rank", "--output", "raw"},
       "--prefix is '{rank': expected text of at most 256 bytes without control characters, with "
       "{{ and }} for braces and the fields {rank}, {local_rank}, {world_size}, {role}, {time}, "
       "{attempt}, {stream}, {run_id}; it has an unmatched '{'"},
      {{"--prefix", "{rank} ", "--output", "raw"},
       "--prefix is '{rank} ': expected no --output raw, which shows lines without a prefix"},
      {{"--timestamps", "utc"}, "--timestamps is 'utc': expected iso or elapsed"},
      {{"--local-ranks-filter", "2", "--nproc", "2"},
       "--local-ranks-filter is '2': expected local ranks 0 to 1 (--nproc is 2), such as 0 or 0,2 "
       "or 0-3, not '2'"},
      {{"--log-dir", ""}, "--log-dir is '': expected a directory"},
      {{"--role", ""}, "--role is '': expected 1 to 64 bytes without control characters"},
      {{"-m", "--no-python"},
       "--module and --no-python contradict each other: expected one of them"},
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
      {{"--config", "/"},
       "--config is '/': expected a readable TOML file: it is not a regular file"},
  };
  for (const auto& [words, line] : cases) CHECK(machine.refused(words) == line);
}

TEST_CASE(
    "a redirected file whose lines begin with something is read, so a fault may wait for it") {
  const FakeMachine machine;
  const std::vector<std::string> words{"--log-dir", "d", "-r", "3", "--inject", "kill@line=x"};
  CHECK(machine.refused(words) != "accepted");
  for (const char* const flag : {"--timestamps=iso", "--prefix=[{rank}] "}) {
    auto more = words;
    more.emplace_back(flag);
    machine.good(more);
  }
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
           ": see ddp-launch --help; a program's own options follow its name";
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
      // With --run-path, a random word names a script that does not exist.
      CHECK((leave->code == 2 || leave->code == 127));
      CHECK(leave->text.starts_with("ddp-launch: "));
      CHECK(leave->text.find('\n') == leave->text.size() - 1);
    } else {
      ++accepted;
      const auto& o = std::get<Options>(parsed);
      CHECK_FALSE(o.workers.command.empty());
      CHECK(o.output.shown.size() == static_cast<std::size_t>(o.ranks.nproc));
      CHECK(o.output.redirect.size() == o.output.shown.size());
      CHECK(o.output.tee.size() == o.output.shown.size());
      CHECK(is_run_id(o.rendezvous.run_id));
    }
  }
  CHECK(accepted > 100);
}

#include "launcher/cli/config_file.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace ddp;
using Words = std::vector<std::string>;

namespace {

// The error for a file's text, or "accepted".
std::string refused(std::string_view text) {
  const auto file = parse_config(text, "run.toml");
  return file ? "accepted" : file.error();
}

}  // namespace

TEST_CASE("a file says what flags would, and the command") {
  FakeMachine machine;
  machine.file("run.toml", R"(
# four workers, kept alive
nproc = 4
nnodes = 2
node-rank = 1
master-addr = "host0"
master_port = 29500            # torchrun's spelling
max-restarts = "3 in 10m"
shutdown-timeout = 1.5
devices = [2, 5, "GPU-8a1b", 7]
virtual-local-rank = true
log-dir = "logs"
tee = 3
redirects = "0:1"
local-ranks-filter = [0, "2-3"]
dry-run = false
command = ["./worker", "--data", "README.md"]
)");
  const std::string config = machine.root / "run.toml";
  const auto parsed = machine.parse({"--config", config});
  REQUIRE_MESSAGE(std::holds_alternative<Options>(parsed), std::get<ExitNow>(parsed).text);
  const auto& o = std::get<Options>(parsed);
  CHECK(o.ranks.nproc == 4);
  CHECK(o.ranks.first_rank() == core::GlobalRank{4});
  CHECK(o.rendezvous.master_addr == "host0");
  CHECK(o.rendezvous.master_port == 29500);
  CHECK(o.group.restart.max_restarts == 3);
  CHECK(o.group.restart.window == std::chrono::minutes(10));
  CHECK(o.group.shutdown_timeout == std::chrono::milliseconds(1500));
  CHECK(o.workers.devices == Words{"2", "5", "GPU-8a1b", "7"});
  CHECK(o.workers.virtual_local_rank);
  CHECK(o.output.log_dir == "logs");
  CHECK(o.output.tee[3].err);
  CHECK(o.output.shown == std::vector<bool>{true, false, true, true});
  CHECK_FALSE(o.dry_run);
  CHECK(o.workers.command == Words{"./worker", "--data", "README.md"});

  // The command line wins, flag by flag and for the command as a whole.
  const Options over = machine.good(
      {"--config", config, "--nproc-per-node", "3", "--dry-run", "--local-ranks-filter", "1"});
  CHECK(over.ranks.nproc == 3);
  CHECK(over.output.shown == std::vector<bool>{false, true, false});
  CHECK(over.dry_run);
  CHECK(over.workers.command == Words{"./worker"});
  CHECK(over.output.log_dir == "logs");
}

TEST_CASE("a wrong value of a file is named with its place") {
  FakeMachine machine;
  machine.file("run.toml", "nnodes = 1\n  nproc = \"many\"\n");
  const std::string config = machine.root / "run.toml";
  CHECK(machine.refused({"--config", config}) ==
        config + ":2:3: nproc is 'many': expected a number from 1 to 4096, or auto, cpu, gpu, xpu");
}

TEST_CASE("every refusal of a file is one line with file, line and column") {
  const std::pair<std::string_view, std::string> cases[] = {
      {"npoc = 1",
       "run.toml:1:1: npoc is not an option (did you mean nproc?): expected a long flag without "
       "its "
       "dashes, or command"},
      {"\n  colour = true",
       "run.toml:2:3: colour is not an option: expected a long flag without its dashes, or "
       "command"},
      {"config = \"x\"",
       "run.toml:1:1: config is allowed on the command line only: expected a long flag without its "
       "dashes, "
       "or command"},
      {"help = true",
       "run.toml:1:1: help is allowed on the command line only: expected a long flag without its "
       "dashes, "
       "or "
       "command"},
      {"nproc = [1]", "run.toml:1:1: nproc is an array: expected an integer or a string"},
      {"nproc = 1.5",
       "run.toml:1:1: nproc is a number with a fraction: expected an integer or a string"},
      {"nproc = true", "run.toml:1:1: nproc is true or false: expected an integer or a string"},
      {"backoff = true",
       "run.toml:1:1: backoff is true or false: expected a number of seconds or a string such as "
       "\"10m\""},
      {"log-dir = 3", "run.toml:1:1: log-dir is an integer: expected a string"},
      {"dry-run = \"yes\"", "run.toml:1:1: dry-run is a string: expected true or false"},
      {"[devices]\nx = 1",
       "run.toml:1:2: devices is a table: expected an integer, a string, or an array of both"},
      {"devices = []",
       "run.toml:1:1: devices is an array: expected an integer, a string, or an array of both"},
      {"devices = [[1]]",
       "run.toml:1:1: devices is an array: expected an integer, a string, or an array of both"},
      {"run-id = 2026-01-01", "run.toml:1:1: run-id is a date or time: expected a string"},
      {"nproc = 1\nnproc-per-node = 2",
       "run.toml:2:1: nproc-per-node is given twice: expected one "
       "of its spellings"},
      {"command = \"./worker\"",
       "run.toml:1:1: command is a string: expected an array of strings, such as [\"./worker\", "
       "\"--steps\", \"100\"]"},
      {"command = [\"./worker\", 3]",
       "run.toml:1:1: command is an array: expected an array of strings, such as [\"./worker\", "
       "\"--steps\", \"100\"]"},
      {"command = []", "run.toml:1:1: command is empty: expected a program and its arguments"},
  };
  for (const auto& [text, line] : cases) CHECK(refused(text) == line);
  for (const char* broken :
       {"nproc", "nproc = ", "= 1", "nproc = 1 nnodes = 2", "\"", "[", "a = '",
        "nproc = 1\nnproc = 2", "\xff\xfe = 1", "\u00e9 = 1", "nproc = 1 \ufef9"}) {
    CAPTURE(broken);
    CHECK(refused(broken).starts_with("run.toml:"));
  }
  CHECK(refused("") == "accepted");
  // Where toml++ asserts instead of refusing.
  const std::string no_toml =
      ": invalid TOML: expected a key, a table's name in [brackets], or a comment";
  CHECK(refused("[.\"") == "run.toml:1" + no_toml);
  CHECK(refused("nproc = 1\n\n[\n\nx = 1\n") == "run.toml:3" + no_toml);
  CHECK(refused("nproc = 1\n[=") == "run.toml:2" + no_toml);
}

TEST_CASE("a file that is too large or no regular file is refused at once") {
  FakeMachine machine;
  machine.file("large.toml", std::string(3 << 20, '#'));
  const std::string path = machine.root / "large.toml";
  const auto large = read_config_file(path);
  REQUIRE_FALSE(large);
  CHECK(large.error() ==
        "--config is '" + path + "': expected a readable TOML file: it is larger than 1 MiB");
  CHECK_FALSE(read_config_file("/dev/zero"));
}

TEST_CASE("random text is read or refused, never worse") {
  std::mt19937 random(3);
  const std::vector<std::string> pieces{
      "nproc",   "=",    " ",   "4", "\"", "[", "]",    "\n",  "#",       ",",         "'",
      "command", "true", "1.5", "{", "}",  ".", "\xc3", "'''", "devices", "1979-05-27"};
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t i = random() % 20; i > 0; --i) text += pieces[random() % pieces.size()];
    const auto file = parse_config(text, "run.toml");
    if (!file) CHECK(file.error().starts_with("run.toml:"));
  }
}

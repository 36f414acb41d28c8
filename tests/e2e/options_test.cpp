// The command line: what is rejected, and with which message.
#include "tests/e2e/launch.hpp"

using namespace ddp::test;

TEST_CASE("invalid options are rejected with one line and exit code 2") {
  const Scene scene;
  write_file(scene.path("bad.toml"), "nproc = = 4\n");
  const std::pair<Words, std::string> cases[] = {
      {{"--nproc", "0", "--", "true"}, "--nproc"},
      {{"--nproc", "-1", "--", "true"}, "--nproc"},
      {{"--nproc", "four", "--", "true"}, "'four'"},
      {{"--nproc", "2x", "--", "true"}, "'2x'"},
      {{"--nproc", "99999999999999999999", "--", "true"}, "--nproc"},
      {{"--nproc", "2", "--nproc", "3", "--", "true"}, "--nproc"},
      {{"--nnodes", "2", "--node-rank", "2", "--", "true"}, "--node-rank"},
      {{"--nnodes", "2", "--node-rank", "0", "--", "true"}, "--master-addr"},
      {{"--master-port", "65536", "--", "true"}, "--master-port"},
      {{"--max-restarts", "-1", "--", "true"}, "--max-restarts"},
      {{"--shutdown-timeout", "soon", "--", "true"}, "--shutdown-timeout"},
      {{"--output", "pretty", "--", "true"}, "--output"},
      {{"--redirects", "4", "--", "true"}, "--redirects"},
      {{"--nproc", "2", "--tee", "2:1", "--log-dir", "x", "--", "true"}, "--tee"},
      {{"--nproc", "2", "--stdin", "2", "--", "true"}, "--stdin"},
      {{"--run-id", "a/b", "--", "true"}, "--run-id"},
      {{"--device-type", "abacus", "--", "true"}, "--device-type"},
      {{"--early-exit", "maybe", "--", "true"}, "--early-exit"},
      {{"--log-level", "loud", "--", "true"}, "--log-level"},
      {{"--config", scene.path("bad.toml"), "--", "true"}, "bad.toml"},
      {{"--config", scene.path("none.toml"), "--", "true"}, "none.toml"},
      {{"--npro", "2", "--", "true"}, "--npro"},  // abbreviations are refused
      {{"--no-such-flag", "--", "true"}, "--no-such-flag"},
      {{"--nproc"}, "--nproc"},
      {{"--nproc", "2"}, "program"},
      {{}, "program"},
  };
  for (const auto& [arguments, named] : cases) {
    std::string line;
    for (const auto& argument : arguments) line += " " + argument;
    CAPTURE(line);
    const auto run = scene.run(arguments, {});
    CHECK(run.status == Status{.code = 2});
    CHECK(run.out == "");
    CHECK(lines_of(run.err).size() == 1);
    CHECK(run.err.rfind("ddp-launch: ", 0) == 0);
    CHECK(contains(run.err, named));
  }
}

TEST_CASE("torchrun's spellings are accepted; the program's flags are left alone") {
  const Scene scene;
  for (const char* flag : {"--nproc", "--nproc-per-node", "--nproc_per_node"}) {
    CAPTURE(flag);
    const auto run = scene.run({flag, "2", "--grace-period", "5", "--max_restarts=0"},
                               helper({"print", "--nproc 7"}));
    CHECK(run.status == Status{.code = 0});
    CHECK(by_rank(run.out).size() == 2);
    CHECK(contains(run.out, "--nproc 7"));
  }
  // Without --, the program ends the launcher's flags.
  CHECK(scene.run({"--nproc", "1", "/bin/sh", "-c", "exit 5", "--nproc", "9"}, {}).status ==
        Status{.code = 5});
}

TEST_CASE("--help shows every section, the exit codes and examples") {
  const Scene scene;
  const auto run = scene.run({"--help"}, {});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  for (const char* part :
       {"--nproc", "--max-restarts", "--shutdown-timeout", "--grace-period", "--log-dir", "--tee",
        "--dry-run", "128+n", "126", "127", "ddp-launch --nproc 4 -- "}) {
    CAPTURE(part);
    CHECK(contains(run.out, part));
  }
}

TEST_CASE("--version is one line") {
  const Scene scene;
  const auto run = scene.run({"--version"}, {});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.out == "ddp-launch " DDP_VERSION "\n");
}

TEST_CASE("--dry-run shows each rank and starts nothing") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "2", "--nnodes", "2", "--node-rank", "1", "--master-addr", "127.0.0.1",
                 "--master-port", "29512", "--devices", "4,6", "--virtual-local-rank", "--dry-run"},
                helper({"touch", scene.path("started")}));
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  for (const char* part : {"2", "3", "4", "6", "29512", "ddp-test-helper"}) {
    CHECK(contains(run.out, part));
  }
  CHECK_FALSE(std::filesystem::exists(scene.path("started")));
}

TEST_CASE("a configuration file sets flags and the command line wins") {
  const Scene scene;
  write_file(scene.path("run.toml"), "nproc = 3\noutput = \"raw\"\nmax-restarts = 0\n");
  CHECK(scene.run({"--config", scene.path("run.toml")}, helper({"print", "x"})).out == "x\nx\nx\n");
  CHECK(
      scene.run({"--config", scene.path("run.toml"), "--nproc", "2"}, helper({"print", "x"})).out ==
      "x\nx\n");
}

// The launcher's exit code shows how the group ended.
#include "tests/e2e/launch.hpp"

#include <signal.h>
#include <string.h>

#include <doctest/doctest.h>

using namespace ddp::test;

TEST_CASE("every exit code of a rank becomes the launcher's") {
  const Scene scene;
  for (int code = 0; code <= 255; ++code) {
    CAPTURE(code);
    const auto run = scene.run({"--nproc", "1"}, helper({"exit", std::to_string(code)}));
    CHECK(run.status == Status{.code = code});
    CHECK(run.out == "");
    if (code == 0) {
      CHECK(run.err == "");
    } else {
      CHECK(contains(run.err, "rank 0 exited with code " + std::to_string(code) + " "));
    }
  }
}

TEST_CASE("every fatal signal exits 128 + its number and is reported by name") {
  const Scene scene;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH) continue;
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) continue;
    if (signal > SIGSYS && signal < SIGRTMIN) continue;  // reserved by glibc
    CAPTURE(signal);
    const auto run =
        scene.run({"--nproc", "2"},
                  helper({"on-rank", "1", "[", "no-core", "signal", std::to_string(signal), "]"}));
    CHECK(run.status == Status{.code = 128 + signal});
    CHECK(contains(run.err, "rank 1 was killed by SIG"));
    if (const char* name = sigabbrev_np(signal)) {
      CHECK(contains(run.err, "killed by SIG" + std::string(name)));
    }
  }
}

TEST_CASE("abort and a segmentation fault are reported as signals") {
  const Scene scene;
  CHECK(scene.run({"--nproc", "1"}, helper({"no-core", "abort"})).status == Status{.code = 134});
  CHECK(scene.run({"--nproc", "1"}, helper({"no-core", "segv"})).status == Status{.code = 139});
}

TEST_CASE("a missing program exits 127, one that cannot be executed 126") {
  const Scene scene;
  write_file(scene.path("data"), "no program\n");
  write_script(scene.path("no_interpreter"), "#!/nowhere/at/all\n");
  write_script(scene.path("no_first_line"), "exit 0\n");
  write_script(scene.path("torn_binary"), std::string("\x7f"
                                                      "ELF",
                                                      4));
  std::filesystem::create_directory(scene.path("directory"));
  std::filesystem::create_symlink("loop", scene.path("loop"));
  const std::pair<std::string, int> cases[] = {
      {"no-such-program", 127},           {"/nowhere/at/all", 127},
      {scene.path("data/below"), 127},    {scene.path("no_interpreter"), 127},
      {scene.path("data"), 126},          {scene.path("directory"), 126},
      {scene.path("no_first_line"), 126}, {scene.path("torn_binary"), 126},
      {scene.path("loop"), 126},          {scene.path(std::string(300, 'x')), 126}};
  for (const auto& [program, code] : cases) {
    CAPTURE(program);
    const auto run = scene.run({"--nproc", "4", "--max-restarts", "3"}, {program});
    CHECK(run.status == Status{.code = code});
    CHECK(run.out == "");
    CHECK(contains(run.err, "rank 0 could not be started: "));
    CHECK(contains(run.err, program));
    CHECK(contains(run.err, "not restarted"));
  }
}

TEST_CASE("a program is found by the launcher's PATH") {
  Scene scene;
  write_script(scene.path("my-worker"), "#!/bin/sh\nexit 3\n");
  CHECK(scene.run({"--nproc", "1"}, {"my-worker"}).status == Status{.code = 127});
  scene.env["PATH"] = scene.directory.string() + ":" + scene.env["PATH"];
  CHECK(scene.run({"--nproc", "1"}, {"my-worker"}).status == Status{.code = 3});
}

TEST_CASE("an early exit with code 0 fails only with --early-exit fail") {
  const Scene scene;
  const Words steps =
      helper({"on-rank", "1", "[", "exit", "0", "]", "print", "up", "wait-file", scene.path("go")});
  Process launch = scene.launch({"--nproc", "2"}, steps);
  launch.until("up");
  write_file(scene.path("go"), "");
  CHECK(finish(scene, launch).status == Status{.code = 0});

  const auto run = scene.run({"--nproc", "2", "--early-exit", "fail"},
                             helper({"on-rank", "1", "[", "exit", "0", "]", "pause"}));
  CHECK(run.status.code != 0);
  CHECK(contains(run.err, "rank 1 exited with code 0 while other ranks were running"));
}

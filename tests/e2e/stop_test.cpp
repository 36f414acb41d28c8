// Somebody ends the launch: by a signal, from a terminal, or by killing a part of the launcher.
#include "tests/e2e/launch.hpp"

#include <sched.h>
#include <signal.h>

using namespace ddp::test;

namespace {

// Workers with a data loader that left their session, in the way of those that leak; SIGTERM ends
// it.
Words with_loader(const Words& steps) {
  return helper(Words{"fork", "[", "setsid", "pause", "]"} + steps);
}
// With one that does not heed it.
Words with_deaf_loader(const Words& steps) {
  return helper(Words{"fork", "[", "setsid", "ignore", "TERM", "ignore", "INT", "pause", "]"} +
                steps);
}

// A shell, as it were, that runs the launch as its child and waits.
Start under_parent(const Scene& scene, const Words& flags, const Words& command) {
  return {.argv = helper(Words{"fork", "[", "exec", launcher_path(), "["} + flags + Words{"--"} +
                         command + Words{"]", "]", "pause"}),
          .env = scene.env};
}

void until_each(Process& launch, const std::string& text, int count) {
  for (int i = 0; i < count; ++i) launch.until(text);
}

}  // namespace

TEST_CASE("a signal to the launcher tears the group down, and is its exit code") {
  const Scene scene;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    CAPTURE(signal);
    // SIGINT reaches the ranks as what it is, the others as SIGTERM.
    const std::string heard = signal == SIGINT ? "INT" : "TERM";
    Process launch =
        scene.launch({"--nproc", "3"}, with_loader({"on-signal", heard, "[", "print", "heard",
                                                    "exit", "0", "]", "print", "up", "pause"}));
    until_each(launch, "up", 3);
    launch.send_signal(signal);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 128 + signal});
    CHECK(by_rank(run.out)[2] == Words{"up", "heard"});
    CHECK(contains(run.err, "ddp-launch: stopped by SIG"));
    CHECK(contains(run.err, "ddp-launch: ranks 0-2 exited with code 0\n"));
  }
}

TEST_CASE("a second signal skips the grace period") {
  const Scene scene;
  for (const int signal : {SIGINT, SIGTERM}) {
    CAPTURE(signal);
    Process launch =
        scene.launch({"--nproc", "2", "--shutdown-timeout", "10000"},
                     with_deaf_loader({"on-signal", signal == SIGINT ? "INT" : "TERM", "[", "print",
                                       "heard", "]", "print", "up", "pause"}));
    until_each(launch, "up", 2);
    launch.send_signal(signal);
    until_each(launch, "heard", 2);
    launch.until_err("waiting up to");  // a second later: sooner it would be the same request
    launch.send_signal(signal);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 128 + signal});
    CHECK(contains(run.err, std::string("ddp-launch: ") +
                                (signal == SIGINT ? "SIGINT" : "SIGTERM") +
                                ": killing ranks 0, 1 at once\n"));
  }
}

TEST_CASE("while the grace period runs, a line says who is waited for and what Ctrl-C does") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "3", "--shutdown-timeout", "10000"},
                                helper({"ignore", "INT", "print", "up {PID}", "on-rank", "1", "[",
                                        "exit", "0", "]", "pause"}));
  // A second after the request it is seen who is waited for: not rank 1, whose end is seen before.
  int rank1 = 0;
  for (int i = 0; i < 3; ++i) {
    const std::string line = launch.until("up ");
    if (line.rfind("[1]", 0) == 0) rank1 = std::stoi(line.substr(line.find("up ") + 3));
  }
  REQUIRE(rank1 > 1);
  const Deadline deadline;
  while (!status_field(rank1, "State").empty() && !deadline.passed()) sched_yield();
  launch.send_signal(SIGINT);
  const std::string line = launch.until_err("waiting up to");
  CHECK(contains(line, "ddp-launch: stopped by SIGINT; waiting up to"));
  CHECK(contains(line, "for ranks 0, 2 to exit; another Ctrl-C kills at once"));
  launch.send_signal(SIGINT);
  CHECK(finish(scene, launch).status == Status{.code = 130});
}

TEST_CASE("while a failed group is waited for, the line names the failure") {
  const Scene scene;
  Process launch = scene.launch(
      {"--nproc", "3", "--shutdown-timeout", "10000"},
      helper({"on-rank", "0,2", "[", "ignore", "TERM", "]", "barrier", scene.directory.string(),
              "on-rank", "1", "[", "exit", "4", "]", "pause"}));
  const std::string line = launch.until_err("waiting up to");
  CHECK(contains(line, "ddp-launch: rank 1 exited with code 4; waiting up to"));
  CHECK(contains(line, "for ranks 0, 2 to end, Ctrl-C kills at once"));
  launch.send_signal(SIGINT);
  CHECK(finish(scene, launch).status == Status{.code = 4});
}

TEST_CASE("a stop request ends a launch that waits to restart") {
  const Scene scene;
  Process launch = scene.launch(
      {"--nproc", "1", "--max-restarts", "9", "--backoff", "1h", "--max-backoff", "1h"},
      helper({"exit", "1"}));
  launch.until_err("restarting the group in");
  launch.send_signal(SIGTERM);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK(contains(run.err, "ddp-launch: stopped by SIGTERM while it waited to restart\n"));
}

TEST_CASE("a stop request while a failed group is torn down is why it is not restarted") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "2", "--max-restarts", "9"},
                                helper({"on-rank", "0", "[", "barrier", scene.directory.string(),
                                        "exit", "3", "]", "on-signal", "TERM", "[", "print", "told",
                                        "]", "barrier", scene.directory.string(), "pause"}));
  launch.until("told");
  launch.send_signal(SIGINT);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 3});
  CHECK(contains(run.err, "ddp-launch: SIGINT: killing rank 1 at once\n"));
  CHECK(contains(run.err, "ddp-launch: not restarted: stop requested\n"));
}

TEST_CASE("the keeper killed with SIGKILL leaves nothing") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "3"}, with_loader({"print", "up", "pause"}));
  until_each(launch, "up", 3);
  launch.send_signal(SIGKILL);
  CHECK(launch.wait() == Status{.signal = SIGKILL});
  launch.wait_nothing_left();
  scene.check_no_file_left();
}

TEST_CASE(
    "the supervisor killed with SIGKILL leaves nothing, and is told as the launcher's fault") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "3"}, with_loader({"print", "up", "pause"}));
  until_each(launch, "up", 3);
  kill(supervisor_pid(launch), SIGKILL);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 70});
  CHECK(contains(run.err, "ddp-launch: "));
}

TEST_CASE("Ctrl-C at a terminal is one request, the second kills") {
  const Scene scene;
  auto start = scene.start(
      {"--nproc", "2", "--shutdown-timeout", "10000"},
      with_deaf_loader({"on-signal", "INT", "[", "print", "heard", "]", "print", "up", "pause"}));
  start.stdio = Stdio::terminal;
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  launch.send("\x03");
  until_each(launch, "heard", 2);
  launch.until("waiting up to");
  launch.send("\x03");
  CHECK(finish(scene, launch).status == Status{.code = 130});
}

TEST_CASE("a terminal that hangs up ends the group") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2"}, with_loader({"print", "up", "pause"}));
  start.stdio = Stdio::terminal;
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  launch.hang_up();
  CHECK(finish(scene, launch).status == Status{.code = 128 + SIGHUP});
}

TEST_CASE("Ctrl-Z stops launcher and workers, and fg resumes them") {
  const Scene scene;
  auto start =
      scene.start({"--nproc", "2"}, helper({"print", "up", "wait-file", scene.path("go")}));
  start.new_group = true;
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  launch.send_signal(SIGTSTP);
  launch.wait_stopped();
  const Deadline deadline;
  for (const auto& process : launch.below()) {
    while (status_field(process.pid, "State") != "T (stopped)" && !deadline.passed()) sched_yield();
    CHECK(status_field(process.pid, "State") == "T (stopped)");
  }
  write_file(scene.path("go"), "");
  launch.send_signal(SIGCONT);
  CHECK(finish(scene, launch).status == Status{.code = 0});
}

TEST_CASE("what kills a whole job, running or stopped, leaves nothing") {
  const Scene scene;
  auto start =
      scene.start({"--nproc", "2"}, with_deaf_loader({"ignore", "TERM", "print", "up", "pause"}));
  start.argv.insert(start.argv.begin() + 1, {"--shutdown-timeout", "200ms"});
  start.new_group = true;
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  SUBCASE("kill -9 %1") {}
  SUBCASE("Ctrl-Z, kill -9 %1") {
    launch.send_signal(SIGTSTP);
    launch.wait_stopped();
  }
  REQUIRE(kill(-launch.pid(), SIGKILL) == 0);
  CHECK(launch.wait_exit() == Status{.signal = SIGKILL});
  launch.wait_nothing_left();
  scene.check_no_file_left();
}

TEST_CASE("a terminal that stops who writes in the background does not stop the launcher") {
  const Scene scene;
  // A shell of its own session, with the launch as its background job.
  auto start =
      scene.start({"--nproc", "2", "--shutdown-timeout", "200ms"},
                  with_deaf_loader({"print", "up", "wait-file", scene.path("go"), "exit", "3"}));
  std::string launch_words;
  for (const auto& word : start.argv) launch_words += " '" + word + "'";
  start.argv = {"/bin/bash", "-c",
                "set -m; stty tostop;" + launch_words + " & echo job; wait $!; echo \"code $?\""};
  start.stdio = Stdio::terminal;
  Process shell(std::move(start));
  until_each(shell, "up", 2);  // which was written in the background
  write_file(scene.path("go"), "");
  shell.until("code 3");
  shell.wait();
  shell.wait_nothing_left();
}

TEST_CASE("the group ends with the launcher's parent") {
  const Scene scene;
  Process parent(under_parent(scene, {"--nproc", "2"}, helper({"print", "up", "pause"})));
  until_each(parent, "up", 2);
  parent.send_signal(SIGKILL);
  CHECK(parent.wait() == Status{.signal = SIGKILL});
  CHECK(contains(parent.err(), "the parent process exited"));
  parent.wait_nothing_left();
  scene.check_no_file_left();
}

TEST_CASE("a script's background job, started with SIGINT ignored, hears it all the same") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2"}, with_loader({"print", "up", "pause"}));
  start.ignored = {SIGINT, SIGQUIT};
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  launch.send_signal(SIGINT);
  CHECK(finish(scene, launch).status == Status{.code = 130});
}

TEST_CASE("under nohup it outlives its parent") {
  const Scene scene;
  auto start =
      under_parent(scene, {"--nproc", "1"},
                   helper({"print", "up", "wait-file", scene.path("go"), "print", "done"}));
  start.ignored = {SIGHUP};
  Process parent(std::move(start));
  until_each(parent, "up", 1);
  parent.send_signal(SIGKILL);
  CHECK(parent.wait_exit() == Status{.signal = SIGKILL});
  write_file(scene.path("go"), "");
  CHECK(parent.until("done") == "[0] done");
  parent.wait();
  CHECK(parent.err() == "");
  parent.wait_nothing_left();
}

TEST_CASE("two launches at once do not disturb each other") {
  const Scene first;
  const Scene second;
  const Words steps = with_loader({"print", "up", "pause"});
  Process lives = first.launch({"--nproc", "3"}, steps);
  Process dies = second.launch({"--nproc", "3"}, steps);
  until_each(lives, "up", 3);
  until_each(dies, "up", 3);
  dies.send_signal(SIGTERM);
  CHECK(finish(second, dies).status == Status{.code = 143});
  CHECK(lives.below().size() == 1 + 6);  // supervisor, workers, loaders
  lives.send_signal(SIGINT);
  CHECK(finish(first, lives).status == Status{.code = 130});
}

// The launch is stopped: by a signal, from a terminal, or by killing a part of the launcher.
#include "tests/e2e/launch.hpp"

#include <sched.h>
#include <signal.h>

using namespace ddp::test;

namespace {

// Workers with a data loader in another session, like loaders that leak; SIGTERM ends
// it.
Words with_loader(const Words& steps) {
  return helper(Words{"fork", "[", "setsid", "pause", "]"} + steps);
}
// With a loader that ignores it.
Words with_deaf_loader(const Words& steps) {
  return helper(Words{"fork", "[", "setsid", "ignore", "TERM", "ignore", "INT", "pause", "]"} +
                steps);
}

// Like a shell that runs the launch as its child and waits.
Start under_parent(const Scene& scene, const Words& flags, const Words& command) {
  return {.argv = helper(Words{"fork", "[", "exec", launcher_path(), "["} + flags + Words{"--"} +
                         command + Words{"]", "]", "pause"}),
          .env = scene.env};
}

void until_each(Process& launch, const std::string& text, int count) {
  for (int i = 0; i < count; ++i) launch.until(text);
}

}  // namespace

TEST_CASE("a signal to the launcher stops the group and sets the exit code") {
  const Scene scene;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    CAPTURE(signal);
    // SIGINT reaches the ranks as SIGINT, the others as SIGTERM.
    const std::string name = signal == SIGINT ? "INT" : "TERM";
    Process launch =
        scene.launch({"--nproc", "3"}, with_loader({"on-signal", name, "[", "print", "received",
                                                    "exit", "0", "]", "print", "up", "pause"}));
    until_each(launch, "up", 3);
    launch.send_signal(signal);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 128 + signal});
    CHECK(by_rank(run.out)[2] == Words{"up", "received"});
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
                                       "received", "]", "print", "up", "pause"}));
    until_each(launch, "up", 2);
    launch.send_signal(signal);
    until_each(launch, "received", 2);
    launch.until_err("waiting up to");  // a second later: sooner it would be the same request
    launch.send_signal(signal);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 128 + signal});
    CHECK(contains(run.err, std::string("ddp-launch: ") +
                                (signal == SIGINT ? "SIGINT" : "SIGTERM") +
                                ": killing ranks 0, 1 at once\n"));
  }
}

TEST_CASE("during the grace period a line names the running ranks and Ctrl-C") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "3", "--shutdown-timeout", "10000"},
                                helper({"ignore", "INT", "print", "up {PID}", "on-rank", "1", "[",
                                        "exit", "0", "]", "pause"}));
  // The line comes a second after the request and does not name rank 1, which exited before.
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

TEST_CASE("while a failed group is stopped the line names the failure") {
  const Scene scene;
  Process launch = scene.launch(
      {"--nproc", "3", "--shutdown-timeout", "10000"},
      helper({"on-rank", "0,2", "[", "ignore", "TERM", "]", "barrier", scene.directory.string(),
              "on-rank", "1", "[", "exit", "4", "]", "pause"}));
  const std::string line = launch.until_err("waiting up to");
  CHECK(contains(line, "ddp-launch: rank 1 exited with code 4; waiting up to"));
  CHECK(contains(line, "for ranks 0, 2 to exit; Ctrl-C kills at once"));
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

TEST_CASE("a stop request during a teardown prevents the restart") {
  const Scene scene;
  Process launch =
      scene.launch({"--nproc", "2", "--max-restarts", "9"},
                   helper({"on-rank", "0", "[", "barrier", scene.directory.string(), "exit", "3",
                           "]", "on-signal", "TERM", "[", "print", "signalled", "]", "barrier",
                           scene.directory.string(), "pause"}));
  launch.until("signalled");
  launch.send_signal(SIGINT);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 3});
  CHECK(contains(run.err, "ddp-launch: SIGINT: killing rank 1 at once\n"));
  CHECK(contains(run.err, "ddp-launch: not restarted: stop requested\n"));
}

TEST_CASE("SIGKILL to the keeper leaves no process") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "3"}, with_loader({"print", "up", "pause"}));
  until_each(launch, "up", 3);
  launch.send_signal(SIGKILL);
  CHECK(launch.wait() == Status{.signal = SIGKILL});
  launch.wait_nothing_left();
  scene.check_no_file_left();
}

TEST_CASE("SIGKILL to the supervisor leaves no process and is reported as such") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "3"}, with_loader({"print", "up", "pause"}));
  until_each(launch, "up", 3);
  kill(supervisor_pid(launch), SIGKILL);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 70});
  CHECK(contains(run.err, "ddp-launch: "));
}

TEST_CASE("the first Ctrl-C at a terminal stops, the second kills") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2", "--shutdown-timeout", "10000"},
                           with_deaf_loader({"on-signal", "INT", "[", "print", "received", "]",
                                             "print", "up", "pause"}));
  start.stdio = Stdio::terminal;
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  launch.send("\x03");
  until_each(launch, "received", 2);
  launch.until("waiting up to");
  launch.send("\x03");
  CHECK(finish(scene, launch).status == Status{.code = 130});
}

TEST_CASE("a terminal hang-up stops the group") {
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

TEST_CASE("killing a whole job, running or stopped, leaves no process") {
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

TEST_CASE("tostop does not stop a launcher in the background") {
  const Scene scene;
  // A shell in a new session, with the launch as its background job.
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

TEST_CASE("the group is stopped when the launcher's parent exits") {
  const Scene scene;
  Process parent(under_parent(scene, {"--nproc", "2"}, helper({"print", "up", "pause"})));
  until_each(parent, "up", 2);
  parent.send_signal(SIGKILL);
  CHECK(parent.wait() == Status{.signal = SIGKILL});
  CHECK(contains(parent.err(), "the parent process exited"));
  parent.wait_nothing_left();
  scene.check_no_file_left();
}

TEST_CASE("a background job started with SIGINT ignored still handles it") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2"}, with_loader({"print", "up", "pause"}));
  start.ignored = {SIGINT, SIGQUIT};
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  launch.send_signal(SIGINT);
  CHECK(finish(scene, launch).status == Status{.code = 130});
}

TEST_CASE("under nohup the launcher outlives its parent") {
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

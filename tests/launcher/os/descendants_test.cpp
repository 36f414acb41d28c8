#include "launcher/os/descendants.hpp"

#include "launcher/os/proc.hpp"
#include "tests/launcher/os/children.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace {

using namespace ddp;
using namespace ddp::test;

// A worker with data loaders: one plain child, one that called setsid, one that forked twice. Each
// prints "up" and keeps stderr open, whose pipe shows whether one is alive.
const char* const kFamily =
    "(echo up; exec sleep 1000) &"
    "setsid sh -c 'echo up; exec sleep 1000' &"
    "setsid sh -c 'setsid sh -c \"echo up; exec sleep 1000\" & exit 0' &"
    "exec sleep 1000";

struct Family {
  int leader = -1;
  os::ScopedFd life;  // closed when no process of the family is alive
};

Family start_family() {
  Pipe life = make_pipe();
  Pipe out = make_pipe();
  auto spawned = spawn_raw("/bin/sh", {"-c", kFamily}, 0, out.write.get(), life.write.get());
  REQUIRE(std::holds_alternative<os::Child>(spawned));
  for (int i = 0; i < 3; ++i) CHECK(read_line(out.read.get()) == "up");
  return {std::get<os::Child>(spawned).pid, std::move(life.read)};
}

}  // namespace

TEST_CASE("every descendant is killed and reaped, wherever it is in the tree") {
  REQUIRE(os::become_subreaper());
  const Family family = start_family();
  CHECK_FALSE(is_hung_up(family.life.get()));
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
  CHECK(is_hung_up(family.life.get()));
  CHECK(os::own_children().empty());
}

TEST_CASE("control: without the subreaper a child that forked twice escapes") {
  Pipe report = make_pipe();
  const pid_t pid = ::fork();  // the setting is not inherited
  if (pid == 0) {
    report.read.reset();
    const Family family = start_family();
    os::kill_and_reap_all(std::chrono::seconds(30));
    const char verdict = is_hung_up(family.life.get()) ? 'g' : 'l';
    ::_exit(::write(report.write.get(), &verdict, 1) == 1 ? 0 : 1);
  }
  report.write.reset();
  CHECK(read_to_end(report.read.get()) == "l");
  // The escaped came to this process, which is a subreaper.
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
}

TEST_CASE("reaping stops at a child that has its own watcher") {
  auto spared = start_shell("exit 0");
  pollfd dead{spared.pidfd.get(), POLLIN, 0};
  REQUIRE(::poll(&dead, 1, 30'000) == 1);
  CHECK(os::reap_orphans([&](int pid) { return pid == spared.pid; }));
  CHECK(::waitpid(spared.pid, nullptr, WNOHANG) == spared.pid);  // it was still there to reap
  CHECK_FALSE(os::reap_orphans([](int) { return false; }));
}

TEST_CASE("living children are listed with state and command") {
  auto shell = start_shell("echo up; read line");
  CHECK(read_line(shell.out.get()) == "up");
  const auto living = os::living_children();
  REQUIRE(living.size() == 1);
  CHECK(living[0].pid == shell.pid);
  CHECK(living[0].command == "sh");
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
}

TEST_CASE("a stopped process is killed like any other") {
  auto shell = start_shell("kill -STOP $$");
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(shell.pid), &info, WSTOPPED | WNOWAIT) == 0);
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
}

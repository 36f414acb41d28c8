#include "launcher/os/cgroup.hpp"

#include "launcher/os/descendants.hpp"
#include "launcher/os/proc.hpp"
#include "tests/launcher/os/children.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

namespace {

using namespace ddp;
using namespace ddp::test;

}  // namespace

TEST_CASE("a worker starts in the launch's cgroup and is killed with it") {
  REQUIRE(os::become_subreaper());
  const auto cgroup = os::Cgroup::make_leaf();
  if (!cgroup) {
    MESSAGE("no writable cgroup v2 here: nothing to test");
    return;
  }
  Pipe life = make_pipe();
  Pipe out = make_pipe();
  os::SpawnRequest request;
  request.program = "/bin/sh";
  request.arguments = {"-c", "setsid sh -c 'echo up; exec sleep 1000' & exec sleep 1000"};
  request.environment = {"PATH=/usr/bin:/bin"};
  request.stdin_fd = 0;
  request.stdout_fd = out.write.get();
  request.stderr_fd = life.write.get();
  request.cgroup_fd = cgroup->fd();
  auto spawned = os::Spawner().spawn(request);
  REQUIRE(std::holds_alternative<os::Child>(spawned));
  const int pid = std::get<os::Child>(spawned).pid;
  CHECK(read_line(out.read.get()) == "up");
  life.write.reset();

  const auto member = os::read_file("/proc/" + std::to_string(pid) + "/cgroup");
  REQUIRE(member);
  CHECK(member->find("/ddp-launch." + std::to_string(::getpid())) != std::string::npos);
  cgroup->remove();  // control: not while a process is in it
  CHECK(::access(cgroup->path().c_str(), F_OK) == 0);

  cgroup->kill();
  CHECK(read_to_end(life.read.get()).empty());
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
  cgroup->remove();
  CHECK(::access(cgroup->path().c_str(), F_OK) == -1);
}

TEST_CASE("after a cgroup was killed, the next worker starts in its successor") {
  REQUIRE(os::become_subreaper());
  const auto cgroup = os::Cgroup::make_leaf();
  if (!cgroup) {
    MESSAGE("no writable cgroup v2 here: nothing to test");
    return;
  }
  cgroup->kill();
  const auto successor = cgroup->make_successor(1);
  REQUIRE(successor);
  Pipe out = make_pipe();
  os::SpawnRequest request;
  request.program = "/bin/echo";
  request.arguments = {"up"};
  request.stdin_fd = 0;
  request.stdout_fd = out.write.get();
  request.stderr_fd = 2;
  request.cgroup_fd = successor->fd();
  const auto spawned = os::Spawner().spawn(request);
  REQUIRE(std::holds_alternative<os::Child>(spawned));
  CHECK(read_line(out.read.get()) == "up");
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
  cgroup->remove();  // with its successors
  CHECK(::access(cgroup->path().c_str(), F_OK) == -1);
}

TEST_CASE("two launches with the same pid, in different PID namespaces, do not share a cgroup") {
  const auto one = os::Cgroup::make_leaf();
  if (!one) {
    MESSAGE("no writable cgroup v2 here: nothing to test");
    return;
  }
  const auto other = os::Cgroup::make_leaf();
  REQUIRE(other);
  CHECK(other->path() != one->path());
  other->remove();
  CHECK(::access(one->path().c_str(), F_OK) == 0);
  CHECK(one->make_successor(1));
  one->remove();
}

TEST_CASE("a cgroup that refuses leaves the worker in the launcher's own") {
  // A plain directory is none.
  const os::ScopedFd directory(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  os::SpawnRequest request;
  request.program = "/bin/true";
  request.stdin_fd = 0;
  request.stdout_fd = 1;
  request.stderr_fd = 2;
  request.cgroup_fd = directory.get();
  auto spawned = os::Spawner().spawn(request);
  REQUIRE(std::holds_alternative<os::Child>(spawned));
  int status = -1;
  CHECK(::waitpid(std::get<os::Child>(spawned).pid, &status, 0) > 0);
  CHECK(status == 0);
}

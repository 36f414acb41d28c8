// Samples real processes that sleep, compute, are stopped, have several threads, or have exited.
#include "launcher/os/tasks.hpp"

#include "tests/launcher/os/children.hpp"
#include "tests/support/deadline.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <thread>

namespace {

using namespace ddp;
using core::Activity;

struct Helper {
  os::Child child;
  test::Pipe out = test::make_pipe();

  explicit Helper(std::vector<std::string> steps) {
    steps.insert(steps.begin(), {"print", "up"});
    auto spawned =
        test::spawn_raw(DDP_TEST_HELPER, std::move(steps), 0, out.write.get(), out.write.get());
    REQUIRE(std::holds_alternative<os::Child>(spawned));
    child = std::move(std::get<os::Child>(spawned));
    REQUIRE(test::read_line(out.read.get()) == "up");
  }
  ~Helper() { end(); }
  void end() {
    if (child.pid <= 0) return;
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    child.pid = -1;
  }
};

// Looks until two looks show `wanted`, as they have to sooner or later.
core::ProcessPicture picture_once(int pid, Activity wanted) {
  const test::Deadline deadline;
  while (true) {
    const auto before = os::sample_tasks(pid);
    // The time between the looks passes by looking: no test sleeps.
    auto after = os::sample_tasks(pid);
    while (after.at - before.at < std::chrono::milliseconds(100)) after = os::sample_tasks(pid);
    const auto picture = core::picture_of(before, after);
    if (picture.activity == wanted || deadline.passed()) return picture;
  }
}

}  // namespace

TEST_CASE("a sleeping process shows where it waits") {
  Helper helper({"pause"});
  const auto picture = picture_once(helper.child.pid, Activity::sleeping);
  CHECK(picture.activity == Activity::sleeping);
  CHECK(picture.state == 'S');
  CHECK(picture.threads == 1);
  const auto thread = os::sample_tasks(helper.child.pid).threads.at(0);
  CHECK(thread.tid == helper.child.pid);
  CHECK(thread.name == "ddp-test-helper");
  // The owner of the process can read at least one of the two.
  CHECK((!thread.wait_channel.empty() || !thread.system_call.empty()));
}

TEST_CASE("a process that computes") {
  Helper helper({"spin"});
  const auto picture = picture_once(helper.child.pid, Activity::running);
  CHECK(picture.activity == Activity::running);
}

TEST_CASE("a process that was stopped") {
  Helper helper({"stop", "pause"});
  const auto picture = picture_once(helper.child.pid, Activity::stopped);
  CHECK(picture.activity == Activity::stopped);
  CHECK(picture.state == 'T');
}

TEST_CASE("a process that has exited, reaped or not, shows nothing") {
  Helper helper({"exit", "0"});
  CHECK(picture_once(helper.child.pid, Activity::ended).activity == Activity::ended);
  const int pid = helper.child.pid;
  helper.end();
  CHECK(os::sample_tasks(pid).threads.empty());
}

TEST_CASE("every thread is sampled, the main one first") {
  std::promise<void> end;
  std::shared_future<void> ended = end.get_future().share();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([ended] { ended.wait(); });
  const auto sample = os::sample_tasks(::getpid());
  CHECK(sample.threads.size() >= 4);
  CHECK(sample.threads[0].tid == ::getpid());
  CHECK(sample.threads[0].state == 'R');
  end.set_value();
  for (auto& thread : threads) thread.join();
}

TEST_CASE("CPU time counts up") {
  const auto before = os::sample_tasks(::getpid());
  auto after = before;
  const test::Deadline deadline;
  while (after.threads[0].cpu_time == before.threads[0].cpu_time && !deadline.passed())
    after = os::sample_tasks(::getpid());
  CHECK(after.threads[0].cpu_time > before.threads[0].cpu_time);
}

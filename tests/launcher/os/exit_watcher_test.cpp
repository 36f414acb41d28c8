#include "launcher/os/exit_watcher.hpp"

#include "tests/launcher/os/children.hpp"

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>

#include <csignal>
#include <memory>
#include <optional>
#include <vector>

namespace {

using namespace ddp;
using namespace ddp::test;

core::ExitStatus outcome_of(const std::string& script) {
  boost::asio::io_context io;
  auto shell = start_shell(script);
  std::optional<core::ExitStatus> seen;
  os::ExitWatcher watcher(io, shell.pid, std::move(shell.pidfd),
                          [&](core::ExitStatus status) { seen = status; });
  io.run_for(std::chrono::seconds(30));
  REQUIRE(seen);
  CHECK(watcher.reaped());
  CHECK(::waitpid(shell.pid, nullptr, WNOHANG) == -1);
  return *seen;
}

}  // namespace

TEST_CASE("every exit code is reported unchanged") {
  for (const int code : {0, 1, 2, 3, 77, 127, 128, 137, 254, 255}) {
    CHECK(outcome_of("exit " + std::to_string(code)) == core::ExitStatus(core::Exited{code}));
  }
}

TEST_CASE("exit code 9 and SIGKILL are distinct") {
  CHECK(outcome_of("exit 9") == core::ExitStatus(core::Exited{9}));
  CHECK(outcome_of("kill -KILL $$") == core::ExitStatus(core::Signaled{SIGKILL, false}));
}

TEST_CASE("exits are reported in their order") {
  // The loop does not run during the exits and must still report them in order.
  boost::asio::io_context io;
  std::vector<Shell> shells;
  for (int i = 0; i < 8; ++i) shells.push_back(start_shell("read line"));
  std::vector<int> expected;
  std::vector<int> seen;
  std::vector<std::unique_ptr<os::ExitWatcher>> watchers;
  std::vector<os::ScopedFd> pidfds;
  for (auto& shell : shells) {
    pidfds.emplace_back(::fcntl(shell.pidfd.get(), F_DUPFD_CLOEXEC, 0));
    watchers.push_back(std::make_unique<os::ExitWatcher>(
        io, shell.pid, std::move(shell.pidfd),
        [&seen, pid = shell.pid](core::ExitStatus) { seen.push_back(pid); }));
  }
  io.poll();  // all are being watched
  for (const std::size_t i : {5u, 0u, 7u, 2u, 1u, 6u, 3u, 4u}) {
    expected.push_back(shells[i].pid);
    shells[i].in.reset();
    pollfd dead{pidfds[i].get(), POLLIN, 0};
    REQUIRE(::poll(&dead, 1, 30'000) == 1);
  }
  io.run_for(std::chrono::seconds(30));
  CHECK(seen == expected);
}

TEST_CASE("a destroyed watcher reports nothing and does not reap the child") {
  boost::asio::io_context io;
  auto shell = start_shell("read line");
  bool reported = false;
  {
    os::ExitWatcher watcher(io, shell.pid, std::move(shell.pidfd),
                            [&](core::ExitStatus) { reported = true; });
  }
  shell.in.reset();
  CHECK(::waitpid(shell.pid, nullptr, 0) == shell.pid);
  io.run_for(std::chrono::seconds(30));
  CHECK_FALSE(reported);
}

// Whose a process is, and signals that reach that very process.
#include "launcher/os/process_table.hpp"

#include "launcher/os/descendants.hpp"
#include "tests/launcher/os/children.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <map>

namespace {

using namespace ddp;
using namespace ddp::test;
using core::Proof;

constexpr const char* kPrefix = "/run/of-this-test/notify.";

// A rank whose script prints "<name> <pid>" for each of its processes.
struct Rank {
  explicit Rank(const std::string& script, int local_rank, int lines) {
    Pipe out_pipe = make_pipe();
    auto spawned = spawn_raw(
        "/bin/sh", {"-c", script}, 0, out_pipe.write.get(), 2,
        {"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=" + (kPrefix + std::to_string(local_rank))});
    REQUIRE(std::holds_alternative<os::Child>(spawned));
    pid = std::get<os::Child>(spawned).pid;
    out_pipe.write.reset();
    out = std::move(out_pipe.read);
    for (int i = 0; i < lines; ++i) {
      const std::string line = read_line(out.get());
      pids[line.substr(0, line.find(' '))] = std::stoi(line.substr(line.find(' ')));
    }
  }
  int pid = -1;
  os::ScopedFd out;
  std::map<std::string, int> pids;
};

const core::ProcessFacts* find(const core::ProcessTable& table, int pid) {
  for (const auto& process : table) {
    if (process.pid == pid) return &process;
  }
  return nullptr;
}

void check(const core::ProcessTable& table, int pid, core::LocalRank rank, Proof proof) {
  const auto* process = find(table, pid);
  REQUIRE(process != nullptr);
  CHECK(process->local_rank == rank);
  CHECK(process->proof == proof);
}

// Says who it is and stays; `pid` is "$$", as the shells around it have to see it.
std::string stays(const std::string& name, const std::string& pid = "$$") {
  return "echo " + name + " " + pid + "; exec sleep 1000";
}

}  // namespace

TEST_CASE("a process is attributed by a proof, and to no rank without one") {
  REQUIRE(os::become_subreaper());
  // In its session; in a new session below it; a daemon; a daemon that cleared its environment.
  const Rank rank("sh -c '" + stays("same") + "' & setsid sh -c '" + stays("child") +
                      "' & setsid sh -c 'setsid sh -c \"" + stays("daemon", "\\$\\$") +
                      "\" & exit 0' & env -i setsid sh -c 'setsid sh -c \"PATH=/usr/bin:/bin; " +
                      stays("stranger", "\\$\\$") + "\" & exit 0' & " + stays("first"),
                  3, 5);
  const Rank other(stays("first"), 4, 1);
  os::RankKeys keys{{{3, rank.pid}, {4, other.pid}}, kPrefix, {}};
  const auto table = os::process_table(keys);
  check(table, rank.pid, 3, Proof::session);
  CHECK(find(table, rank.pid)->first);
  check(table, other.pid, 4, Proof::session);
  check(table, rank.pids.at("same"), 3, Proof::session);
  CHECK_FALSE(find(table, rank.pids.at("same"))->first);
  check(table, rank.pids.at("child"), 3, Proof::parentage);
  check(table, rank.pids.at("daemon"), 3, Proof::environment);
  check(table, rank.pids.at("stranger"), -1, Proof::none);
  // Each stands behind its parent.
  CHECK(find(table, rank.pid) < find(table, rank.pids.at("child")));
  CHECK(os::left_running(table).size() == 4);

  SUBCASE("after the first process has exited, its session is still a proof") {
    REQUIRE(::kill(rank.pid, SIGKILL) == 0);
    REQUIRE(::waitpid(rank.pid, nullptr, 0) == rank.pid);
    const auto later = os::process_table(keys);
    CHECK(find(later, rank.pid) == nullptr);
    check(later, rank.pids.at("same"), 3, Proof::session);
    check(later, rank.pids.at("child"), 3, Proof::environment);  // its parent has exited
  }
  SUBCASE("a process of no rank is left out, with everything below it") {
    keys.not_theirs = {rank.pid};
    CHECK(find(os::process_table(keys), rank.pids.at("same")) == nullptr);
  }
  SUBCASE("the environment of another launch is no proof") {
    keys.notify_prefix = "/run/of-another/notify.";
    check(os::process_table(keys), rank.pids.at("daemon"), -1, Proof::none);
  }
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
}

TEST_CASE("a signal reaches the inspected process or none") {
  const Rank rank(stays("first"), 0, 1);
  const auto table = os::process_table({{{0, rank.pid}}, kPrefix, {}});
  const auto* process = find(table, rank.pid);
  REQUIRE(process != nullptr);
  // Another process had the pid before.
  CHECK_FALSE(os::signal_process(rank.pid, process->start_time - 1, SIGKILL));
  CHECK_FALSE(os::signal_process(1, 0, SIGTERM));
  CHECK_FALSE(os::signal_process(0, 0, SIGTERM));
  CHECK_FALSE(os::signal_process(-1, 0, SIGTERM));
  CHECK(os::signal_process(rank.pid, process->start_time, SIGKILL));
  REQUIRE(::waitpid(rank.pid, nullptr, 0) == rank.pid);
}

TEST_CASE("waiting for a child, reading a pipe and signal handlers are recognised") {
  REQUIRE(os::become_subreaper());
  const Rank rank("sh -c '" + stays("writer") +
                      "' | sh -c 'trap : USR1; echo reader $$ >&3; while :; "
                      "do read line; done' 3>&1 & echo shell $$; wait",
                  0, 2);
  const int reader = rank.pids.at("reader");
  const auto table = os::process_table({{{0, rank.pid}}, kPrefix, {}});
  const auto* facts = find(table, reader);
  REQUIRE(facts != nullptr);
  CHECK(facts->reads_pipe != 0);
  CHECK((facts->caught >> (SIGUSR1 - 1) & 1) == 1);
  CHECK((facts->caught >> (SIGUSR2 - 1) & 1) == 0);
  CHECK(facts->pipe_is_open);
  CHECK(core::is_filter(table, *facts, SIGTERM));
  const auto* shell = find(table, rank.pid);
  REQUIRE(shell != nullptr);
  CHECK(shell->shell);
  CHECK(shell->reads_pipe == 0);
  CHECK(os::kill_and_reap_all(std::chrono::seconds(30)).empty());
}

// The control socket of a launch, and clients that keep to no rule: supervision is never delayed.
#include "tests/e2e/control.hpp"
#include "tests/support/json_lines.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

using namespace ddp::test;

namespace {

using Clock = std::chrono::steady_clock;

const std::string kInfo = "{\"command\":\"info\"}\n";
const std::string kStatus = "{\"command\":\"status\"}\n";
const Words kLogged{"--run-id", "r", "--log-dir", "logs", "--shutdown-timeout", "5s"};

Process started(const Scene& scene, const Words& flags, int nproc) {
  Process launch = scene.launch(flags + Words{"--nproc", std::to_string(nproc)},
                                helper({"print", "up", "pause"}));
  for (int rank = 0; rank < nproc; ++rank) launch.until("up");
  return launch;
}

int descriptors_of(int pid) {
  int count = 0;
  for ([[maybe_unused]] const auto& one :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    ++count;
  return count;
}

int pid_of_rank(const Scene& scene, int rank) {
  for (const auto& event : events_named(scene.path("logs/r/events.jsonl"), "worker_started")) {
    if (field(event, "rank") == std::to_string(rank)) return std::stoi(field(event, "pid"));
  }
  throw std::runtime_error("the rank has no pid");
}

// From SIGKILL to a rank until no process of the group is left, by the events' own clock.
std::chrono::nanoseconds death_to_gone(const Scene& scene, Process& launch) {
  const auto killed = Clock::now().time_since_epoch();
  kill(pid_of_rank(scene, 1), SIGKILL);
  CHECK(launch.wait_exit() == Status{.code = 137});
  const auto gone = events_named(scene.path("logs/r/events.jsonl"), "processes_gone");
  REQUIRE(gone.size() == 1);
  return std::chrono::nanoseconds(std::stoll(field(gone[0], "t_ns"))) - killed;
}

}  // namespace

TEST_CASE("a death is followed by the teardown while sixteen clients flood") {
  std::chrono::nanoseconds took[2];
  for (const bool flooded : {false, true}) {
    const Scene scene;
    Process launch = started(scene, kLogged, 4);
    std::vector<BareClient> clients;
    std::string many;
    for (int i = 0; i < 100; ++i) many += kStatus;
    for (int i = 0; flooded && i < 16; ++i) {
      clients.emplace_back(control_socket(scene));
      clients.back().flood(many);
    }
    for (auto& client : clients) CHECK(contains(client.line().value_or(""), "\"ok\":true"));
    took[flooded] = death_to_gone(scene, launch);
    CHECK(finish(scene, launch).status == Status{.code = 137});
  }
  MESSAGE("death to the end of the group: " << took[0].count() / 1000 << " us, flooded "
                                            << took[1].count() / 1000 << " us");
  CHECK(took[1] < took[0] + std::chrono::milliseconds(250));
}

TEST_CASE("a client that stalls is disconnected, and no other waits for it") {
  const Scene scene;
  Process launch = started(scene, kLogged, 1);
  const std::string socket = control_socket(scene);
  const auto began = Clock::now();
  BareClient half(socket);
  CHECK(half.send("{\"command\":"));
  BareClient silent(socket);
  BareClient unread(socket);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += kStatus;
  unread.flood(many);
  CHECK(contains(ctl(scene, {"list"}).out, "running"));
  CHECK(half.line() == std::nullopt);
  CHECK(silent.line() == std::nullopt);
  // Nearly: the clocks of timers and of this process are read at different times.
  CHECK(Clock::now() - began > std::chrono::milliseconds(4900));
  unread.until_closed();
  CHECK(contains(ctl(scene, {"list"}).out, "running"));
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("what is no request is refused, and the connection goes on") {
  const Scene scene;
  Process launch = started(scene, kLogged, 2);
  const std::string socket = control_socket(scene);
  BareClient client(socket);
  const std::pair<const char*, const char*> wrong[] = {
      {"", "expected one JSON object a line"},
      {"[1,2]", "expected one JSON object a line"},
      {"{\"command\":3}", "no command: expected info, status, logs"},
      {"{\"command\":\"frob\"}", "command 'frob': expected info"},
      {"{\"command\":\"stop\",\"now\":true}", "stop takes no 'now'"},
      {"{\"command\":\"kill\"}", "kill: expected one rank"},
      {"{\"command\":\"kill\",\"ranks\":[0,1]}", "kill: expected one rank"},
      {"{\"command\":\"kill\",\"ranks\":[9]}", "rank 9: expected a rank from 0 to 1"},
      {"{\"command\":\"kill\",\"ranks\":[-1]}", "ranks: expected numbers from 0"},
      {"{\"command\":\"kill\",\"ranks\":\"0\"}", "ranks: expected an array of numbers"},
      {"{\"command\":\"signal\",\"signal\":\"FROB\"}", "expected the name of a signal"},
      {"{\"command\":\"inject\",\"fault\":\"frob@rank=0\"}", "column 1"},
      {"\xff\xfe{}", "expected one JSON object a line"},
  };
  for (const auto& [line, why] : wrong) {
    CAPTURE(line);
    CHECK(client.send(std::string(line) + "\n"));
    const std::string answer = client.line().value_or("");
    CAPTURE(answer);
    CHECK(contains(answer, "\"ok\":false"));
    CHECK(contains(answer, why));
  }
  // Several at once are answered in order.
  CHECK(client.send(kInfo + "frob\n" + kInfo));
  CHECK(contains(client.line().value_or(""), "\"run_id\":\"r\""));
  CHECK(contains(client.line().value_or(""), "\"ok\":false"));
  CHECK(contains(client.line().value_or(""), "\"run_id\":\"r\""));
  BareClient endless(socket);
  endless.flood(std::string(4096, 'x'));
  CHECK(contains(endless.line().value_or(""), "request too long: expected 65536 bytes at most"));
  CHECK(endless.line() == std::nullopt);
  CHECK(launch.below().size() > 1);
  CHECK(client.send("{\"command\":\"stop\"}\n"));
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("a seventeenth client is refused until one leaves, and none leaves anything behind") {
  const Scene scene;
  Process launch = started(scene, kLogged, 1);
  const std::string socket = control_socket(scene);
  const int supervisor = supervisor_pid(launch);
  const int before = descriptors_of(supervisor);
  {
    std::vector<BareClient> clients;
    for (int i = 0; i < 16; ++i) {
      clients.emplace_back(socket);
      CHECK(clients.back().send(kInfo));
      CHECK(contains(clients.back().line().value_or(""), "\"ok\":true"));
    }
    BareClient refused(socket);
    CHECK(contains(refused.line().value_or(""), "too many clients: expected 16 at most"));
    CHECK(refused.line() == std::nullopt);
    clients.pop_back();
    // Its end is read before the next one is accepted, or just after it.
    const Deadline deadline;
    bool accepted = false;
    while (!accepted && !deadline.passed()) {
      BareClient next(socket);
      next.send(kInfo);
      accepted = contains(next.line().value_or(""), "\"run_id\"");
    }
    CHECK(accepted);
  }
  // They leave in the middle of a request, and in the middle of an answer.
  for (int i = 0; i < 50; ++i) {
    const BareClient half(socket);
    half.send("{\"command\":\"sta");
    const BareClient whole(socket);
    whole.send(kStatus + kStatus + "{\"command\":\"logs\",\"follow\":true}\n");
  }
  const Deadline deadline;
  while (descriptors_of(supervisor) != before && !deadline.passed())
    CHECK(ctl(scene, {"list"}).status == Status{.code = 0});
  CHECK(descriptors_of(supervisor) == before);
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("a client of another user is refused, whatever the modes of the files") {
  if (!can_be_other_user()) return;
  const Scene scene;
  scene.give_to(0);
  Process launch = started(scene, {"--run-id", "r"}, 1);
  const std::string socket = control_socket(scene);
  chmod(scene.path("run").c_str(), 0755);
  chmod(std::filesystem::path(socket).parent_path().c_str(), 0755);
  chmod(socket.c_str(), 0666);
  Start other;
  other.argv = {"/usr/bin/python3", "-c",
                "import socket\n"
                "s = socket.socket(socket.AF_UNIX)\n"
                "s.connect('" +
                    socket +
                    "')\n"
                    "print(s.recv(1000).decode())\n"};
  other.env = scene.env;
  Process refused(as_other_user(other));
  CHECK(refused.wait() == Status{.code = 0});
  CHECK(contains(refused.out(), "only the user of this launch and root may control it"));
  CHECK(contains(ctl(scene, {"list"}).out, "running"));
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(launch.wait() == Status{.code = 143});
}

TEST_CASE("a client that follows and does not read costs the ranks nothing") {
  const Scene scene;
  REQUIRE(::mkfifo(scene.path("go").c_str(), 0600) == 0);
  // Each line is 1 KB, and more than what a client may leave unread and its socket hold.
  Process launch = scene.launch(
      {"--run-id", "r", "--nproc", "1"},
      {"/bin/sh", "-c",
       "echo up; read -r go < " + scene.path("go") + "; i=0; while [ $i -lt 4000 ]; do echo \"$i " +
           std::string(1000, 'x') + "\"; i=$((i+1)); done; echo over; sleep 1000"});
  launch.until("up");
  BareClient slow(control_socket(scene));
  CHECK(slow.send("{\"command\":\"logs\",\"follow\":true,\"lines\":0}\n"));
  CHECK(slow.line() == std::string("{\"ok\":true}"));
  write_file(scene.path("go"), "go\n");
  launch.until("over");
  // What was lost is counted, in the place where it is missing.
  long long expected = 0;
  long long lost = 0;
  for (std::string line; !contains(line, "over");) {
    line = slow.line().value_or("over");
    if (line.starts_with("{\"lost\":")) {
      const auto count = std::stoll(line.substr(8));
      lost += count;
      expected += count;
    } else if (!contains(line, "over")) {
      CHECK(line.starts_with("{\"rank\":0,\"line\":\"" + std::to_string(expected) + " x"));
      ++expected;
    }
  }
  CHECK(lost > 0);
  CHECK(expected == 4000);
  CHECK(ctl(scene, {"stop"}).status == Status{.code = 0});
  CHECK(launch.wait() == Status{.code = 143});
}

// The rendezvous address and port, as ddp-launch checks them before anything starts.
#include "tests/e2e/launch.hpp"
#include "tests/support/reserved_port.hpp"

#include <signal.h>
#include <sys/stat.h>

using namespace ddp::test;

namespace {

const std::string kNotFound = "finds no such host";

Words job(const std::string& node, const std::string& addr, const std::string& port) {
  return {"--nnodes",      "2",  "--node-rank", node, "--master-addr", addr,
          "--master-port", port, "--run-id",    "r"};
}

// A scene where getent is this script.
Scene with_getent(const std::string& script) {
  Scene scene;
  std::filesystem::create_directory(scene.path("bin"));
  write_script(scene.path("bin/getent"), "#!/bin/sh\n" + script + "\n");
  scene.env["PATH"] = scene.path("bin") + ":" + scene.env["PATH"];
  return scene;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// Where node 0 listens for the other machines (launcher/peers/peer_check.hpp).
int comparing_port(const std::string& port) { return std::stoi(port) - 1000; }

// A port for rank 0 whose other port is free as well: outside the range from which the kernel takes
// the ports that no program chose, so that no other test gets it by accident.
std::string free_pair() {
  for (int offset = ::getpid() % 8000;; ++offset) {
    const int port = 12000 + offset % 8000;
    const auto is_free = [](int number) {
      const auto address = loopback(number);
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const bool free =
          ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      ::close(fd);
      return free;
    };
    if (is_free(port) && is_free(port - 1000)) return std::to_string(port);
  }
}

Words machine(const std::string& node, const std::string& port, const Words& more) {
  return Words{"--nnodes",      "2",         "--node-rank",   node,
               "--master-addr", "127.0.0.1", "--master-port", port} +
         more;
}

}  // namespace

TEST_CASE("an address with a port is rejected, brackets are accepted") {
  const Scene scene;
  const auto refused = scene.run({"--master-addr", "[::1]:2222"}, {"true"});
  CHECK(refused.status == Status{.code = 2});
  CHECK(lines_of(refused.err).size() == 1);
  CHECK(contains(refused.err, "without a port: --master-addr ::1 --master-port 2222"));
  CHECK(scene.run({"--master-addr", "[::1]"}, helper({"print", "{MASTER_ADDR}"})).out ==
        "[0] ::1\n");
}

TEST_CASE("an unknown name starts nothing, unless the name servers fail") {
  const Scene scene = with_getent("exit 2");
  const auto run = scene.run({"--master-addr", "host0"}, helper({"touch", scene.path("started")}));
  // The outcome depends on whether this machine has a name server that answers.
  if (run.status == Status{.code = 2}) {
    CHECK(lines_of(run.err).size() == 1);
    CHECK(contains(run.err, kNotFound));
    CHECK_FALSE(std::filesystem::exists(scene.path("started")));
  } else {
    MESSAGE("no name server answers here: the refusal is not seen");
    CHECK(run.status == Status{.code = 0});
    CHECK(contains(run.err, "no name server answers"));
  }
  CHECK(scene.run({"--master-addr", "host0", "--dry-run"}, {"true"}).err == "");
}

TEST_CASE("a name without an answer is a warning; the launch goes on") {
  const Scene scene = with_getent("exec tail -f /dev/null");
  const auto run = scene.run({"--master-addr", "host0"}, helper({"print", "{MASTER_ADDR}"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(run.out == "[0] host0\n");
  CHECK(lines_of(run.err).size() == 1);
  CHECK(contains(run.err, "warning: --master-addr is 'host0'"));
  CHECK(contains(run.err, "no answer in 3 s"));
}

TEST_CASE("a stop request ends the launch while the name is resolved") {
  const Scene scene =
      with_getent("echo asked >" + std::string("\"$SEEN\"") + "; exec tail -f /dev/null");
  auto start = scene.start({"--master-addr", "host0"}, helper({"pause"}));
  start.env["SEEN"] = scene.path("seen");
  REQUIRE(::mkfifo(scene.path("seen").c_str(), 0600) == 0);
  Process launch(std::move(start));
  CHECK(read_file(scene.path("seen")) == "asked\n");
  launch.send_signal(SIGTERM);
  CHECK(finish(scene, launch).status == Status{.code = 128 + SIGTERM});
}

TEST_CASE("this machine's name is accepted; another's is a warning for rank 0 only") {
  const Scene here = with_getent("echo 127.0.0.1 STREAM host0");
  const auto accepted = here.run({"--master-addr", "host0"}, helper({"print", "up"}));
  CHECK(accepted.out == "[0] up\n");
  CHECK(accepted.err == "");
  const Scene away = with_getent("echo 192.0.2.1 STREAM host0");
  const auto warned = away.run(job("0", "host0", "29513"), helper({"print", "up"}));
  CHECK(warned.status == Status{.code = 0});
  CHECK(lines_of(warned.err).size() == 1);
  CHECK(contains(warned.err, "warning: --master-addr host0 (192.0.2.1) is no address of this"));
  CHECK(away.run(job("1", "host0", "29513"), helper({"print", "up"})).err == "");
}

TEST_CASE("a port in use is rejected on rank 0's machine, naming its process") {
  const Scene scene;
  const ReservedPort port;
  const std::string number = std::to_string(port.number());
  // A bound port without a listener can be used by rank 0.
  CHECK(scene.run(job("0", "127.0.0.1", number), helper({"print", "up"})).out == "[0] up\n");

  Scene stranger;
  stranger.env["MASTER_ADDR"] = "127.0.0.1";
  stranger.env["MASTER_PORT"] = number;
  auto start = stranger.start({}, {});
  start.argv = helper({"listen-master", "print", "listening", "pause"});
  Process listener(std::move(start));
  listener.until("listening");
  const auto refused =
      scene.run(job("0", "127.0.0.1", number), helper({"touch", scene.path("started")}));
  CHECK(refused.status == Status{.code = 71});
  CHECK(lines_of(refused.err).size() == 1);
  CHECK(contains(refused.err, "--master-port is '" + number + "', which is in use"));
  CHECK(contains(refused.err, "by ddp-test-helper (pid " + std::to_string(listener.pid()) + ")"));
  CHECK_FALSE(std::filesystem::exists(scene.path("started")));
  // The other machines of the job do not listen.
  CHECK(scene.run(job("1", "127.0.0.1", number), helper({"print", "up"})).out == "[1] up\n");
  listener.send_signal(SIGKILL);
  listener.wait();
}

TEST_CASE("a port is not checked again between two attempts") {
  const Scene scene;
  const ReservedPort port;
  const auto run = scene.run(
      Words{"--master-port", std::to_string(port.number()), "--max-restarts", "2"} + kRestartAtOnce,
      helper({"listen-master", "on-generation", "0,1", "[", "exit", "3", "]"}));
  CHECK(run.status == Status{.code = 0});
  CHECK_FALSE(contains(run.err, "in use"));
}

TEST_CASE("two machines with different --nproc report it and end with 2, whoever starts first") {
  for (const bool first_is_0 : {true, false}) {
    CAPTURE(first_is_0);
    const std::string port = free_pair();
    const Scene zero;
    const Scene one;
    const auto start_zero = [&] {
      return zero.launch(machine("0", port, {"--nproc", "1"}), helper({"print", "up", "pause"}));
    };
    const auto start_one = [&] {
      return one.launch(machine("1", port, {"--nproc", "3", "--max-restarts", "9"}),
                        helper({"print", "up", "pause"}));
    };
    std::optional<Process> a(first_is_0 ? start_zero() : start_one());
    a->until("up");
    std::optional<Process> b(first_is_0 ? start_one() : start_zero());
    const auto of_zero = finish(zero, first_is_0 ? *a : *b);
    const auto of_one = finish(one, first_is_0 ? *b : *a);
    CHECK(of_zero.status == Status{.code = 2});
    CHECK(of_one.status == Status{.code = 2});
    CHECK(contains(of_zero.err,
                   "the machines were started differently: node 1 has --nproc 3, node 0 has 1"));
    CHECK(contains(of_one.err,
                   "the machines were started differently: node 0 has --nproc 1, node 1 has 3"));
  }
}

TEST_CASE("two machines with the same --nproc run, whatever a stranger sends to their port") {
  const std::string port = free_pair();
  const Scene zero;
  const Scene one;
  Process first =
      zero.launch(machine("0", port, {"--nproc", "2"}),
                  helper({"print", "up", "on-rank", "0", "[", "wait-file", zero.path("go"), "]"}));
  first.until("up");
  const auto next = loopback(comparing_port(port));
  const int stranger = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(stranger, reinterpret_cast<const sockaddr*>(&next), sizeof next) == 0);
  REQUIRE(::write(stranger, "GET / HTTP/1.1\n", 15) == 15);
  const auto other = one.run(machine("1", port, {"--nproc", "2"}), helper({"print", "up"}));
  CHECK(other.status == Status{.code = 0});
  CHECK(other.err == "");
  write_file(zero.path("go"), "");
  const auto ended = finish(zero, first);
  CHECK(ended.status == Status{.code = 0});
  CHECK(ended.err == "");
  ::close(stranger);
}

TEST_CASE("two machines with the same --node-rank report it and end with 2") {
  const std::string port = free_pair();
  const Scene scene;
  const Scene other;
  Process first = scene.launch(machine("0", port, {}), helper({"print", "up", "pause"}));
  first.until("up");
  // The port of rank 0 is not in use yet.
  const auto second = other.run(machine("0", port, {}), helper({"pause"}));
  CHECK(second.status == Status{.code = 2});
  CHECK(contains(second.err, "two machines have --node-rank 0"));
  const auto ended = finish(scene, first);
  CHECK(ended.status == Status{.code = 2});
  CHECK(contains(ended.err, "two machines have --node-rank 0"));
}

TEST_CASE("node 0 finds two others with the same number") {
  const std::string port = free_pair();
  const auto of_three = [&](const std::string& node) {
    return Words{"--nnodes",      "3",         "--node-rank",   node,
                 "--master-addr", "127.0.0.1", "--master-port", port};
  };
  const Scene zero;
  const Scene one;
  const Scene two;
  Process node_0 = zero.launch(of_three("0"), helper({"print", "up", "pause"}));
  node_0.until("up");
  Process node_1 = one.launch(of_three("1"), helper({"pause"}));
  Process again = two.launch(of_three("1"), helper({"pause"}));
  const auto ended = finish(zero, node_0);
  CHECK(ended.status == Status{.code = 2});
  CHECK(contains(ended.err, "two machines have --node-rank 1"));
  for (Process* const other : {&node_1, &again}) other->send_signal(SIGTERM);
  finish(one, node_1);
  finish(two, again);
}

TEST_CASE("a machine of another job ends, and the job that it disturbed goes on") {
  const std::string port = free_pair();
  const Scene zero;
  const Scene stray;
  Process node_0 = zero.launch(machine("0", port, {"--run-id", "a"}),
                               helper({"print", "up", "wait-file", zero.path("go")}));
  node_0.until("up");
  const auto other =
      stray.run(machine("1", port, {"--run-id", "b", "--nproc", "2"}), helper({"pause"}));
  CHECK(other.status == Status{.code = 2});
  CHECK(contains(other.err, "node 0 runs job 'a', not 'b'"));
  write_file(zero.path("go"), "");
  const auto ended = finish(zero, node_0);
  CHECK(ended.status == Status{.code = 0});
  CHECK(ended.err == "");
}

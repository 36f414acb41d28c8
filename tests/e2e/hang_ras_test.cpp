// NCCL's RAS as a witness of a hang: a rank that is a Python program listens on NCCL_RAS_ADDR and
// answers as NCCL does, or as nothing should.
#include "tests/e2e/python_rank.hpp"
#include "tests/support/json_lines.hpp"
#include "tests/support/reserved_port.hpp"

#include <chrono>
#include <filesystem>

using namespace ddp::test;

namespace {

const std::string kCorpus = DDP_SOURCE_DIR "/tests/fuzz/corpus/ras_answer/";
// The hang begins once the server listens: only a rank that has sent READY=1 owes a heartbeat.
const Words kFlags{"--nproc",   "4",    "--heartbeat-timeout", "300ms",
                   "--on-hang", "none", "--log-dir",           "logs",
                   "--run-id",  "r",    "--shutdown-timeout",  "5s"};
const std::string kHang = "no heartbeat for 300 ms: rank 0 sends no WATCHDOG=1";

// Rank 0 serves each connection with answer(connection, lines), the others sleep. `lines` yields
// what the client says, and the dialogue before the answer is in greet().
const std::string kServer =
    "import os, socket, sys, threading, time\n"
    "rank = os.environ['RANK']\n"
    "if rank != '0': time.sleep(1000)\n"
    "host, port = os.environ['NCCL_RAS_ADDR'].rsplit(':', 1)\n"
    "listener = socket.socket()\n"
    "listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
    "listener.bind((host, int(port)))\n"
    "listener.listen(64)\n"
    "def greet(connection, lines, json=True):\n"
    "    for line in lines:\n"
    "        line = line.rstrip('\\n')\n"
    "        print('received', line, flush=True)\n"
    "        if line.endswith('STATUS'): return\n"
    "        known = json or not line.startswith('SET FORMAT')\n"
    "        connection.sendall(b'SERVER PROTOCOL 2\\n' if line.startswith('CLIENT PROTOCOL ')\n"
    "            else b'OK\\n' if known else f'ERROR: Unknown command {line}\\n'.encode())\n"
    "def serve(connection):\n"
    "    try:\n"
    "        with connection: answer(connection, connection.makefile('r'))\n"
    "    except OSError: pass\n"
    "def run():\n"
    "    ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
    "    ready.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n"
    "    while True:\n"
    "        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()\n";

// `answer`: the body of answer(connection, lines).
Words server(const std::string& answer) {
  std::string body;
  for (const auto& line : lines_of(answer)) body += "    " + line + "\n";
  return python(kServer + "def answer(connection, lines):\n" + body + "run()\n");
}

std::string sends(const std::string& file) {
  return "with open('" + kCorpus + file + "', 'rb') as f: connection.sendall(f.read())\n";
}

// The outcome of asking RAS; empty: no event says that it was asked.
std::string outcome(const Scene& scene) {
  for (const auto& event : events_named(scene.path("logs/r/events.jsonl"), "hang_evidence")) {
    if (field(event, "what") == "nccl_ras") return field(event, "outcome");
  }
  return "";
}

std::string evidence(const Scene& scene, const std::string& file) {
  const auto path = scene.path("logs/r/attempt_0/hang/" + file);
  return std::filesystem::exists(path) ? read_file(path) : "";
}

}  // namespace

TEST_CASE("what RAS says of missing and lagging ranks is in the report, the events and a file") {
  const Scene scene;
  bool json = true;
  std::string before;
  SUBCASE("JSON") {}
  SUBCASE("JSON after a blank line") { before = "\n"; }
  SUBCASE("text, before NCCL 2.28.7") { json = false; }
  const auto run = scene.run(
      kFlags,
      server((json ? "greet(connection, lines)\n" : "greet(connection, lines, json=False)\n") +
             std::string(before.empty() ? "" : "connection.sendall(b'\\n')\n") +
             sends(json ? "json" : "text")));
  CHECK(run.status == Status{.code = 72});
  const std::string says =
      json ? "rank 2 has launched 41 AllReduce operations, the others 42; rank 3 is missing"
           : "rank 2 has launched 41 AllReduce operations, the others 42; rank 2 has launched 0 "
             "Broadcast operations, the others 1; rank 3 is missing";
  CHECK(
      contains(run.err, "ddp-launch: NCCL's RAS: communicator 0xae94423cfbb2ef4a: " + says + "\n"));
  const auto events = events_named(scene.path("logs/r/events.jsonl"), "nccl_ras");
  REQUIRE(events.size() == (json ? 4 : 2));
  CHECK(field(events[0], "communicator") == "0xae94423cfbb2ef4a");
  CHECK(field(events[0], "size") == "4");
  CHECK(field(events[0], "numbering") == "global");
  CHECK(field(events[0], "missing") == "3");
  CHECK(field(events[0], "summary") == says);
  CHECK(outcome(scene) == "answered");
  const std::string file = json ? "ras.json" : "ras.txt";
  CHECK(evidence(scene, file) == before + read_file(kCorpus + (json ? "json" : "text")));
  CHECK(contains(run.err, "are in logs/r/attempt_0/*/hang, the answer from NCCL_RAS_ADDR in "));
  CHECK(contains(run.err, " in logs/r/attempt_0/hang/" + file + "\n"));
  const auto received = by_rank(run.out)[0];
  REQUIRE(received.size() >= 4);  // a slow machine may have needed another connection
  const auto last = received.end() - 4;
  CHECK(last[0] == "received CLIENT PROTOCOL 2");
  CHECK(last[1].starts_with("received TIMEOUT "));
  CHECK(last[2] == "received SET FORMAT json");
  CHECK(last[3] == "received VERBOSE STATUS");
  // A witness only: the root cause is who is behind by the launcher's own measure.
  CHECK(contains(run.err, kHang));
}

TEST_CASE("a rank is named by its number in a communicator of all, not by a pid that coincides") {
  // As where the process of rank 2 on another machine has the pid of rank 0 here.
  const Scene scene;
  const auto run = scene.run(
      kFlags, server("greet(connection, lines)\n"
                     "with open('" +
                     kCorpus +
                     "json', 'rb') as f: answer = f.read()\n"
                     "connection.sendall(answer.replace(b'1002', b'%d' % os.getpid()))\n"));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, ": rank 2 has launched 41 AllReduce operations, the others 42; "));
}

TEST_CASE("the user's NCCL_RAS_ADDR is asked") {
  Scene scene;
  const ReservedPort port;
  scene.env["NCCL_RAS_ADDR"] = "127.0.0.1:" + std::to_string(port.number());
  const auto run = scene.run(kFlags, server("greet(connection, lines)\n" + sends("json")));
  CHECK(run.status == Status{.code = 72});
  CHECK(outcome(scene) == "answered");
}

TEST_CASE("a connection that nothing greets is given up for another") {
  // As where a stopped process of the launch has accepted the first.
  const Scene scene;
  const auto run = scene.run(kFlags, server("global first\n"
                                            "if 'first' not in globals():\n"
                                            "    first = connection\n"
                                            "    time.sleep(1000)\n"
                                            "greet(connection, lines)\n" +
                                            sends("json")));
  CHECK(run.status == Status{.code = 72});
  CHECK(outcome(scene) == "answered");
}

TEST_CASE("a RAS that takes longer to greet than another connection waits is asked") {
  const Scene scene;
  const auto run =
      scene.run(kFlags, server("time.sleep(0.3)\ngreet(connection, lines)\n" + sends("json")));
  CHECK(run.status == Status{.code = 72});
  CHECK(outcome(scene) == "answered");
}

TEST_CASE("a RAS that misbehaves delays nothing beyond --evidence-timeout, and is reported") {
  struct Case {
    const char* what;
    std::string answer;
    std::string outcome;
  };
  const Case cases[] = {
      {"stalls before the greeting", "time.sleep(1000)\n", "no greeting"},
      {"stalls within the answer",
       "greet(connection, lines)\nconnection.sendall(b'{\"nccl_version\":')\ntime.sleep(1000)\n",
       "no complete answer in time"},
      {"floods the answer",
       "greet(connection, lines)\nwhile True: connection.sendall(b'x' * 65536)\n",
       "cut off at 1 MiB"},
      {"floods the greeting", "while True: connection.sendall(b'x' * 65536)\n",
       "a line that does not end"},
      {"closes at once", "return\n", "no greeting"},
      {"closes after the greeting",
       "lines.readline()\nconnection.sendall(b'SERVER PROTOCOL 2\\n')\n",
       "closed before it answered"},
      {"closes half-way", "greet(connection, lines)\n" + sends("cut_off"),
       "no complete JSON: incomplete JSON"},
      {"sends rubbish", "lines.readline()\nconnection.sendall(b'HTTP/1.1 400 \\xff\\x1b[31m\\n')\n",
       "not NCCL's RAS: HTTP/1.1 400 "},
      {"answers with rubbish",
       "greet(connection, lines)\nconnection.sendall(b'\\x00\\xff\\n' * 99)\n",
       "not an answer of NCCL's RAS"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.what);
    const Scene scene;
    const auto began = std::chrono::steady_clock::now();
    const auto run = scene.run(kFlags + Words{"--evidence-timeout", "4s"}, server(one.answer));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    CHECK(run.status == Status{.code = 72});
    CHECK(contains(run.err, kHang));
    CHECK_FALSE(contains(run.err, "NCCL's RAS"));
    CHECK(outcome(scene).starts_with(one.outcome));
    CHECK(took.count() < 30);  // less than any bound but that of the evidence
  }
}

TEST_CASE("where nothing listens nothing is said of RAS") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--timeout", "1500ms", "--on-hang", "none",
                              "--log-dir", "logs", "--run-id", "r"},
                             helper({"pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK_FALSE(contains(run.err, "RAS"));
  CHECK(outcome(scene).empty());
  CHECK_FALSE(std::filesystem::exists(scene.path("logs/r/attempt_0/hang")));
}

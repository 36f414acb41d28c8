#include "launcher/rendezvous/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("two launches make the table of ranks") {
  const FakeMachine machine;
  const Words job{"--nnodes",      "2",     "--nproc", "2", "--master-addr", "127.0.0.1",
                  "--master-port", "29500", "--stdin", "2", "--node-rank"};
  Words first = job;
  first.push_back("0");
  Words second = job;
  second.push_back("1");
  const Options a = machine.good(first);
  const Options b = machine.good(second);
  CHECK(a.ranks.first_rank() == core::GlobalRank{0});
  CHECK(b.ranks.first_rank() == core::GlobalRank{2});
  CHECK(a.ranks.world_size() == 4);
  CHECK_FALSE(a.workers.stdin_rank);
  CHECK(b.workers.stdin_rank == 0);
}

TEST_CASE("a range of machines is a number if both ends are the same") {
  const FakeMachine machine;
  CHECK(machine.good({"--nnodes", "1:1"}).ranks.nnodes == 1);
  CHECK(machine.good({"--nnodes=2:2", "--master-addr", "h", "--node_rank=1"}).ranks.nnodes == 2);
  CHECK(machine.refused({"--nnodes", "1:4"}) ==
        "--nnodes is '1:4': expected a fixed number of machines, such as 4; ddp-launch has no "
        "elastic rendezvous");
  for (const char* const text : {"2:", ":2", "0:0", "2:2:2", "x"})
    CHECK(machine.refused({"--nnodes", text}) ==
          "--nnodes is '" + std::string(text) +
              "': expected a number from 1 to 65536, or a range such as 2:2");
}

TEST_CASE("several machines without a port agree on torchrun's") {
  const FakeMachine machine;
  const Words two{"--nnodes", "2", "--node-rank", "1"};
  const auto options = [&](Words more) {
    more.insert(more.begin(), two.begin(), two.end());
    return machine.good(more).rendezvous;
  };
  CHECK(options({"--master-addr", "h"}).master_port == 29500);
  CHECK(options({"--rdzv-endpoint", "h"}).master_port == 29400);
  CHECK(options({"--rdzv-endpoint", "h", "--rdzv-backend", "static"}).master_port == 29500);
  const RendezvousOptions given = options({"--rdzv_backend=c10d", "--rdzv_endpoint=h:4711"});
  CHECK(given.master_addr == "h");
  CHECK(given.master_port == 4711);
  CHECK(
      options({"--rdzv-endpoint", "h:1", "--master-addr", "h", "--master-port", "1"}).master_port ==
      1);
}

TEST_CASE("one machine needs no endpoint, and says so") {
  const FakeMachine machine;
  const Options options =
      machine.good({"--rdzv-backend", "c10d", "--rdzv-endpoint=localhost:0", "--rdzv-id", "7"});
  CHECK(options.rendezvous.master_addr == "127.0.0.1");
  CHECK_FALSE(options.rendezvous.master_port);
  CHECK(options.rendezvous.run_id == "7");
  CHECK(options.notes ==
        Words{"--rdzv-endpoint has no effect on one machine: rank 0 listens on a free port"});
  const Options fixed =
      machine.good({"--rdzv-backend=static", "--rdzv-endpoint", "localhost:4711"});
  CHECK(fixed.rendezvous.master_addr == "localhost");
  CHECK(fixed.rendezvous.master_port == 4711);
  CHECK(fixed.notes.empty());
}

TEST_CASE("a rendezvous that does not exist here is refused with the way out") {
  const FakeMachine machine;
  const std::vector<std::pair<Words, std::string>> cases{
      {{"--rdzv-backend", "etcd"},
       "--rdzv-backend is 'etcd': expected static or c10d; ddp-launch uses no rendezvous server: "
       "give each machine its --node-rank, and all of them the same --rdzv-endpoint"},
      {{"--nnodes", "2", "--rdzv-endpoint", "h:1"},
       "--nnodes is '2': requires --node-rank, 0 on the machine of the endpoint; ddp-launch does "
       "not number machines itself"},
      {{"--nnodes", "2"}, "--nnodes is '2': requires --master-addr, where rank 0 listens"},
      {{"--nnodes", "2", "--standalone"},
       "--nnodes is '2': expected 1, because --standalone runs on this machine alone"},
      {{"--rdzv-endpoint", "h:x"},
       "--rdzv-endpoint is 'h:x': expected HOST, HOST:PORT or [IPV6]:PORT, with a port of at most "
       "65535"},
      {{"--nnodes", "2", "--node-rank", "0", "--rdzv-endpoint", "h:0"},
       "--rdzv-endpoint is 'h:0': expected a port from 1 to 65535"},
      {{"--nnodes", "2", "--node-rank", "0", "--rdzv-endpoint", "h:1", "--master-addr", "g"},
       "--rdzv-endpoint is 'h:1': expected the host of --master-addr, g, or one of the two flags "
       "alone"},
      {{"--nnodes", "2", "--node-rank", "0", "--rdzv-endpoint", "h:1", "--master-port", "2"},
       "--rdzv-endpoint is 'h:1': expected the port of --master-port, 2, or one of the two flags "
       "alone"},
      {{"--rdzv_id", "a/b"},
       "--rdzv_id is 'a/b': expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a "
       "letter, digit or '_'"},
  };
  for (const auto& [words, line] : cases) CHECK(machine.refused(words) == line);
}

// Room: worker/store. The key-value store at MASTER_ADDR:MASTER_PORT over which ranks find each
// other.
// Includes: common, worker/base. Included by: worker/comm.
//
// The server of the store: a thread of rank 0 that admits the ranks of one attempt, keeps their
// keys, and answers waits when the value exists or the time has passed.
#pragma once

#include "worker/store/socket.hpp"
#include "worker/store/wire.hpp"

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace ddp::worker {

class StoreServer {
 public:
  // Listens at once (throws Failure if it cannot) and serves until destroyed. `self` has the run,
  // attempt and world size that it serves. With port 0, it chooses a free one.
  StoreServer(const wire::Hello& self, const std::string& host, std::uint16_t port);
  ~StoreServer();
  StoreServer(const StoreServer&) = delete;
  StoreServer& operator=(const StoreServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  struct Connection {
    Socket socket;
    std::string in;
    std::string out;
    int rank = -1;       // -1: has not sent hello
    Deadline hello_due;  // without hello, the connection is closed then
    bool waiting = false;
    wire::Request wait;
    Deadline wait_until;
    bool closing = false;  // close once `out` is sent
  };

  void serve();
  void accept_all();
  void read(Connection& connection);
  void write(Connection& connection);
  void handle_frames(Connection& connection);
  void greet(Connection& connection, std::string_view body);
  wire::Reply admission(const wire::Hello& hello) const;
  void handle(Connection& connection, wire::Request request);
  // Answers the waits that are satisfied, and those whose time has passed.
  void answer_waits();
  void drop(Connection& connection);
  std::vector<int> missing_ranks() const;
  Deadline next_deadline() const;

  const wire::Hello self_;
  Socket listener_;
  std::uint16_t port_ = 0;
  Socket stop_;  // eventfd
  std::vector<Connection> connections_;
  std::set<int> joined_;
  std::set<int> left_;
  bool complete_ = false;  // all ranks had joined
  std::map<std::string, std::string> values_;
  std::thread thread_;
};

// "rank 2" or "ranks 2, 3"; lists at most eight, then "and 5 more".
std::string name_ranks(const std::vector<int>& ranks);

}  // namespace ddp::worker

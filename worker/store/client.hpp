// A rank's connection to the store, which holds small named values that the ranks of one attempt
// share.
#pragma once

#include "worker/store/socket.hpp"
#include "worker/store/wire.hpp"

#include <chrono>
#include <mutex>
#include <string>

namespace ddp::worker {

class StoreClient {
 public:
  // Connects to rank 0's store, with retries until it listens, and sends hello. Throws Failure when
  // `timeout` passes or the store refuses this rank (another run or attempt, another world size, a
  // rank that has joined already).
  StoreClient(const wire::Hello& self, const std::string& host, std::uint16_t port,
              std::chrono::milliseconds timeout);

  // The numeric address of the interface that reaches the store.
  const std::string& local_address() const { return local_address_; }

  // Waits until every rank has joined. Throws Failure with the ranks that are missing.
  void join(std::chrono::milliseconds timeout);
  void set(const std::string& key, const std::string& value);
  // Waits until some rank has set `key`.
  std::string get(const std::string& key, std::chrono::milliseconds timeout);
  // Waits without a limit until a rank has left a complete group, and returns it: "rank 2", or
  // "rank 0" when its store is gone. No other request can be made meanwhile. interrupt() ends the
  // wait; after that the client cannot be used.
  std::string wait_for_leaver();
  void interrupt();

 private:
  wire::Reply exchange(const wire::Request& request);  // throws if there is no reply
  wire::Reply ask(const wire::Request& request);       // throws if the reply is not ok

  std::mutex mutex_;  // one request at a time
  Socket socket_;
  std::string local_address_;
};

}  // namespace ddp::worker

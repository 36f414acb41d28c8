// The store as a rank sees it: small values under names, shared by the ranks of one generation.
#pragma once

#include "worker/store/socket.hpp"
#include "worker/store/wire.hpp"

#include <chrono>
#include <mutex>
#include <string>

namespace ddp::worker {

class StoreClient {
 public:
  // Connects to rank 0's store, retrying until it listens, and says hello. Throws Failure when
  // `timeout` passes ("waited 30 s for rank 0 to listen at host:port") or the store refuses this
  // rank (another run or generation, another world size, a rank that is taken).
  StoreClient(const wire::Hello& self, const std::string& host, std::uint16_t port,
              std::chrono::milliseconds timeout);

  // The numeric address of the interface that reaches the store.
  const std::string& local_address() const { return local_address_; }

  // Waits until every rank has said hello. Throws Failure that names who is missing.
  void join(std::chrono::milliseconds timeout);
  void set(const std::string& key, const std::string& value);
  // Waits until some rank has set `key`.
  std::string get(const std::string& key, std::chrono::milliseconds timeout);
  // Waits, however long it takes, until a rank has left a group that was complete: "rank 2", or
  // "rank 0" where its store is gone. Holds up every other request, and returns when interrupt() is
  // called, after which the client is of no further use.
  std::string wait_for_leaver();
  void interrupt();

 private:
  wire::Reply exchange(const wire::Request& request);  // throws where there is no reply
  wire::Reply ask(const wire::Request& request);       // throws where it is not ok

  std::mutex mutex_;  // one request at a time
  Socket socket_;
  std::string local_address_;
};

}  // namespace ddp::worker

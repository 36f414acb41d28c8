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

 private:
  wire::Reply ask(const wire::Request& request);

  std::mutex mutex_;  // one request at a time
  Socket socket_;
  std::string local_address_;
};

}  // namespace ddp::worker

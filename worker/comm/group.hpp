// The rendezvous: rank 0 runs the store, every rank joins, and the communicator is built.
#pragma once

#include "common/client/worker_env.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/comm/leaver_watch.hpp"
#include "worker/store/client.hpp"
#include "worker/store/server.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace ddp::worker {

// The objects of one rank for its group. They are destroyed in reverse order, the store last.
struct Group {
  std::unique_ptr<StoreServer> server;   // rank 0 of a world of two or more
  std::unique_ptr<StoreClient> store;    // null in a world of one
  std::unique_ptr<LeaverWatch> leavers;  // made by leaver()
  std::unique_ptr<Communicator> communicator;

  // Returns rank 0's `value` on every rank; other ranks' values are ignored. For two ranks or more.
  std::string share(const std::string& key, const std::string& value,
                    std::chrono::milliseconds timeout);
  // The first rank that has left the group; empty while none has. From the first call on, the store
  // is used for nothing else. For two ranks or more.
  std::string leaver();
};

// Waits until every rank of the attempt has joined. The communicator is still null. Throws Failure
// with the ranks that are missing.
Group join_group(const WorkerEnv& env, std::chrono::milliseconds timeout);

// Adds Gloo for two ranks or more, the trivial communicator for one.
void add_cpu_communicator(Group& group, const WorkerEnv& env, std::chrono::milliseconds timeout);

}  // namespace ddp::worker

// The rendezvous: rank 0 hosts the store, every rank joins, the communicator is built.
#pragma once

#include "common/client/worker_env.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/store/client.hpp"
#include "worker/store/server.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace ddp::worker {

// What one rank holds of its group; destroyed in reverse, the store last.
struct Group {
  std::unique_ptr<StoreServer> server;  // rank 0 of a world of two or more
  std::unique_ptr<StoreClient> store;   // null in a world of one
  std::unique_ptr<Communicator> communicator;

  // Rank 0's `value`, on every rank; the others' values are not looked at. Two ranks or more.
  std::string share(const std::string& key, const std::string& value,
                    std::chrono::milliseconds timeout);
};

// Everyone of `env`'s generation joined, store only: the communicator is still null.
// Throws Failure that names who is missing.
Group join_group(const WorkerEnv& env, std::chrono::milliseconds timeout);

// Gloo for two or more, the trivial communicator for one.
void add_cpu_communicator(Group& group, const WorkerEnv& env, std::chrono::milliseconds timeout);

}  // namespace ddp::worker

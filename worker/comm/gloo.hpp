// Communication between CPU ranks over Gloo's TCP transport. A thread of its own runs the
// all-reduces, one after another in the order they were started, while the trainer computes on.
#pragma once

#include "worker/comm/communicator.hpp"
#include "worker/store/client.hpp"

#include <chrono>
#include <memory>

namespace ddp::worker {

// Connects every pair of ranks, addresses exchanged through `store`, over the interface that
// reaches the store. Throws CommError when `timeout` passes; the same timeout holds for every
// collective afterwards. `store` must outlive it and is its own from then on. A peer that left is a
// CommError too or, where Gloo does not see it, the end of this process with the same message.
std::unique_ptr<Communicator> make_gloo_communicator(StoreClient& store, int rank, int world_size,
                                                     std::chrono::milliseconds timeout);

}  // namespace ddp::worker

// Communication between CPU ranks over Gloo's TCP transport. A separate thread runs the all-reduces
// one after another, in the order in which they were started, while the trainer continues to
// compute.
#pragma once

#include "worker/comm/communicator.hpp"
#include "worker/store/client.hpp"

#include <chrono>
#include <memory>

namespace ddp::worker {

// Connects every pair of ranks over the interface that reaches the store, which exchanges the
// addresses. Throws CommError when `timeout` passes; the same timeout holds for every later
// collective. `store` must outlive the communicator, which is its only user from then on. When a
// peer leaves, a call throws CommError or, if Gloo does not notice, this process exits with the
// same message (peer_watch.hpp).
std::unique_ptr<Communicator> make_gloo_communicator(StoreClient& store, int rank, int world_size,
                                                     std::chrono::milliseconds timeout);

}  // namespace ddp::worker

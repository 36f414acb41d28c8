// Communication between GPU ranks over NCCL, on a stream of its own beside the backward pass.
#pragma once

#include "worker/comm/communicator.hpp"
#include "worker/gpu/backend.hpp"

#include <cuda_runtime_api.h>

#include <memory>

namespace ddp::worker::gpu {

// A non-blocking communicator over request.world_size ranks, the unique id handed round by
// request.share. Buckets are ordered behind what `compute` holds when they are started. Throws
// CommError when request.timeout passes; the same time holds for every collective afterwards: NCCL
// does not notice a dead peer by itself, so each wait polls and, at its deadline or at NCCL's own
// error, aborts the communicator.
std::unique_ptr<Communicator> make_nccl_communicator(const GpuRequest& request,
                                                     cudaStream_t compute);

}  // namespace ddp::worker::gpu

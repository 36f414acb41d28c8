// Communication between GPU ranks over NCCL, on a separate stream, in parallel with the backward
// pass.
#pragma once

#include "worker/comm/communicator.hpp"
#include "worker/gpu/backend.hpp"

#include <cuda_runtime_api.h>

#include <memory>

namespace ddp::worker::gpu {

// Makes a non-blocking communicator over request.world_size ranks; request.share distributes the
// unique id. A bucket runs after the work that is on `compute` when it is started. Throws CommError
// when request.timeout passes; the same time holds for every later collective. NCCL does not notice
// a dead peer by itself, so each wait polls, asks request.leaver, and aborts the communicator when
// a rank is gone, at the deadline or at an error of NCCL.
std::unique_ptr<Communicator> make_nccl_communicator(const GpuRequest& request,
                                                     cudaStream_t compute);

}  // namespace ddp::worker::gpu

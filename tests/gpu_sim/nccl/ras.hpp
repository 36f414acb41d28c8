// NCCL's RAS: a thread that sends a client at NCCL_RAS_ADDR how far each rank of each communicator
// is (src/ras/client.cc of NCCL; protocol 2, the JSON format).
#pragma once

#include <string>

namespace ddp::gpu_sim::nccl {

// Listens from the first call on. No address, or one that is in use: no client is answered, as in
// NCCL. `communicators` returns the elements of the answer's list of communicators.
void serve_ras(std::string (*communicators)());

}  // namespace ddp::gpu_sim::nccl

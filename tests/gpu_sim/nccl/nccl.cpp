// The functions of NCCL (include/nccl.h).
#include "tests/gpu_sim/nccl/communicator.hpp"
#include "tests/gpu_sim/nccl/ras.hpp"
#include "tests/gpu_sim/runtime/misuse.hpp"
#include "tests/gpu_sim/runtime/settings.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

namespace {

using namespace ddp::gpu_sim;

// Communicators that were made, and whether they are still in use. None is freed: a stream may
// refer to one that was aborted.
struct Known {
  std::mutex mutex;
  std::map<ncclComm_t, bool> in_use;
};
Known& known() {
  static auto* const all = new Known;
  return *all;
}

ncclComm& checked(ncclComm_t comm) {
  const std::lock_guard lock(known().mutex);
  const auto found = known().in_use.find(comm);
  if (found == known().in_use.end()) misuse("not a communicator");
  if (!found->second) misuse("a communicator is used after it was aborted or destroyed");
  return *comm;
}

std::string communicators() {
  const std::lock_guard lock(known().mutex);
  std::string all;
  for (const auto& [comm, in_use] : known().in_use) {
    const std::string one = in_use ? comm->status_json() : "";
    if (!one.empty()) all += (all.empty() ? "" : ",") + one;
  }
  return all;
}

// A finalize that is never settled is seen here at the latest.
void object_to_leftovers() {
  const std::lock_guard lock(known().mutex);
  for (const auto& [comm, in_use] : known().in_use)
    if (in_use) misuse("the process ends with a communicator that was not destroyed or aborted");
}

void retire(ncclComm_t comm) {
  const std::lock_guard lock(known().mutex);
  known().in_use[comm] = false;
}

}  // namespace

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = settings().nccl_version;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::string name = nccl::make_shared();
  if (name.empty()) return ncclSystemError;
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "%s", name.c_str());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (rank < 0 || rank >= ranks) return ncclInvalidArgument;
  if (config->blocking != 0) misuse("a communicator that blocks");
  *comm = new ncclComm(ranks, id.internal, rank);
  nccl::serve_ras(&communicators);
  [[maybe_unused]] static const int watched = std::atexit(&object_to_leftovers);
  const std::lock_guard lock(known().mutex);
  known().in_use[*comm] = true;
  return ncclInProgress;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const ncclComm::Entry entry(checked(comm));
  return comm->finalize();
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const ncclComm::Entry entry(checked(comm));
  comm->destroy();
  retire(comm);
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  const ncclComm::Entry entry(checked(comm));
  comm->abort();
  retire(comm);
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  const ncclComm::Entry entry(checked(comm));
  return comm->get_async_error(error);
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error (run with NCCL_DEBUG=INFO for details)";
    case ncclSystemError:
      return "unhandled system error (run with NCCL_DEBUG=INFO for details)";
    case ncclInternalError:
      return "internal error - please report this issue to the NCCL developers";
    case ncclInvalidArgument:
      return "invalid argument (run with NCCL_DEBUG=WARN for details)";
    case ncclInvalidUsage:
      return "invalid usage (run with NCCL_DEBUG=WARN for details)";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
  }
  return "unknown result code";
}

const char* ncclGetLastError(ncclComm_t comm) {
  return comm == nullptr ? "" : checked(comm).last_error().c_str();
}

ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  if (operation != ncclSum || (type != ncclFloat && type != ncclDouble))
    misuse("ncclAllReduce: not simulated");
  const ncclComm::Entry entry(checked(comm));
  return comm->collective(nccl::Kind::all_reduce, from, to, count, type, 0, stream);
}

ncclResult_t ncclBroadcast(const void* from, void* to, std::size_t count, ncclDataType_t type,
                           int root, ncclComm_t comm, cudaStream_t stream) {
  const ncclComm::Entry entry(checked(comm));
  return comm->collective(nccl::Kind::broadcast, from, to, count, type, root, stream);
}

}  // extern "C"

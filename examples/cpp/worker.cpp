// A C++ worker: reads what ddp-launch sets, averages a gradient over the ranks with Gloo, reports
// its steps to the launcher and takes part in fault plans. Built against an installed ddp-launch:
//
//   cmake -B build && cmake --build build
//   ddp-launch --nproc 4 -- build/worker
//
// On GPUs, replace the Gloo part with NCCL: rank 0 creates the ncclUniqueId, shares it through the
// same FileStore (set and get), and each rank calls cudaSetDevice(env->local_rank) and
// ncclCommInitRank.
#include <ddp_launch/common/client/fault_points.hpp>
#include <ddp_launch/common/client/notifier.hpp>
#include <ddp_launch/common/client/worker_env.hpp>

#include <gloo/allreduce.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using ddp::fault::Kind;

// In place of a sum: in the middle of an all-reduce.
void die(void*, const void*, const void*, std::size_t) { ddp::fault::die(); }

std::shared_ptr<gloo::Context> connect(const ddp::WorkerEnv& env) {
  // DDP_RUN_DIR is this launch's directory. A directory for each attempt keeps what a killed
  // attempt left there away from the next one.
  const char* const run_dir = std::getenv("DDP_RUN_DIR");
  if (run_dir == nullptr) throw std::runtime_error("DDP_RUN_DIR is not set: use ddp-launch");
  const std::string path = std::string(run_dir) + "/gloo-" + std::to_string(env.restart_count);
  std::filesystem::create_directories(path);
  gloo::rendezvous::FileStore store(path);
  auto device = gloo::transport::tcp::CreateDevice("127.0.0.1");
  auto context = std::make_shared<gloo::rendezvous::Context>(env.rank, env.world_size);
  context->connectFullMesh(store, device);
  return context;
}

void train(const ddp::WorkerEnv& env, ddp::Notifier& notifier, ddp::FaultPoints& faults) {
  const auto context = connect(env);
  notifier.ready();
  std::vector<float> parameters(1000, 0.0f);
  for (int step = 1; step <= 20; ++step) {
    faults.begin_step(step);
    // The "loss" is the squared distance to a target that differs from rank to rank; the average of
    // the gradients leads all ranks to the average of the targets.
    std::vector<float> gradient(parameters.size());
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradient[i] = parameters[i] - static_cast<float>(env.rank);

    faults.damage(step, gradient);
    if (faults.triggers(step, Kind::skip_allreduce)) ddp::fault::stand_still();
    gloo::AllreduceOptions options(context);
    options.setOutput(gradient.data(), gradient.size());
    options.setReduceFunction(
        static_cast<void (*)(void*, const void*, const void*, std::size_t)>(&gloo::sum<float>));
    if (faults.triggers(step, Kind::die_in_allreduce)) options.setReduceFunction(&die);
    gloo::allreduce(options);

    for (std::size_t i = 0; i < gradient.size(); ++i)
      parameters[i] -= 0.5f * gradient[i] / static_cast<float>(env.world_size);
    faults.end_step(step, {{"parameter", static_cast<double>(parameters[0])}});
  }
  std::printf("rank %d of %d: parameter %.4f\n", env.rank, env.world_size,
              static_cast<double>(parameters[0]));
}

}  // namespace

int main() {
  const auto env = ddp::read_worker_env();
  ddp::Notifier notifier = ddp::Notifier::from_environment();
  auto faults = env ? ddp::FaultPoints::read(*env, notifier) : ddp::Error{env.error()};
  if (!faults) {
    std::fprintf(stderr, "%s\n", faults.error().c_str());
    return 2;
  }
  try {
    train(*env, notifier, *faults);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", env->rank, error.what());
    return 1;
  }
}

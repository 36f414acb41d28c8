// worker: one rank of a data-parallel training run, or the only one.
#include "common/client/fault_points.hpp"
#include "common/client/notifier.hpp"
#include "common/client/worker_env.hpp"
#include "worker/base/failure.hpp"
#include "worker/base/stop.hpp"
#include "worker/checkpoint/checkpoints.hpp"
#include "worker/cli/options.hpp"
#include "worker/cli/report.hpp"
#include "worker/comm/group.hpp"
#include "worker/data/corpus.hpp"
#include "worker/gpu/load.hpp"
#include "worker/model/engine.hpp"
#include "worker/trainer.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace {

using namespace ddp;
using namespace ddp::worker;

void run(const Options& options, const WorkerEnv& env) {
  if (options.batch < env.world_size) {
    throw UsageError("--batch is " + std::to_string(options.batch) + ": expected at least " +
                     std::to_string(env.world_size) + ", one sample for each rank");
  }
  Notifier notifier = Notifier::from_environment();
  auto faults = FaultPoints::read(env, notifier);
  if (!faults) throw UsageError(faults.error());
  faults->phase("load");
  const Corpus corpus =
      read_corpus(options.data, static_cast<std::size_t>(options.model.context), options.held_out);
  const std::size_t part = largest_part(options, env.world_size);
  const Gpu gpu = choose_gpu(options.backend, options.type, env, &std::getenv);
  faults->phase("join");
  // Declared before the communicator, which may use the engine's memory until it is destroyed.
  std::unique_ptr<Engine> engine;
  Group group = join_group(env, options.join_timeout);
  if (gpu.backend != nullptr) {
    GpuParts parts = gpu.backend->open({.device = gpu.device,
                                        .rank = env.rank,
                                        .world_size = env.world_size,
                                        .shape = options.model,
                                        .max_batch = part,
                                        .seed = options.seed,
                                        .compute = options.type,
                                        .timeout = options.comm_timeout,
                                        .share =
                                            [&](const std::string& value) {
                                              return group.share("NCCL's unique id", value,
                                                                 options.join_timeout);
                                            },
                                        .leaver = [&] { return group.leaver(); }});
    engine = std::move(parts.engine);
    group.communicator = std::move(parts.communicator);
  } else {
    engine = make_cpu_engine(options.model, part, options.seed);
  }
  if (group.communicator == nullptr) add_cpu_communicator(group, env, options.comm_timeout);
  Report report(env.rank != 0  ? Report::Style::silent
                : options.json ? Report::Style::json
                               : Report::Style::table);
  Checkpoints checkpoints(options, corpus, *engine, *group.communicator, *faults, report);
  Trainer({options, corpus, *engine, *group.communicator, checkpoints, notifier, *faults, report})
      .run();
  // Rank 0 runs the store, so no rank may exit before the others are done.
  group.communicator->barrier();
}

}  // namespace

int main(int argc, char** argv) {
  // A closed reader and a limit on file sizes are then errors of write(2), with a message, and do
  // not kill the process silently.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const ParsedOptions parsed = parse_options(argc, argv, std::cout, std::cerr);
  if (parsed.exit_code >= 0) return parsed.exit_code;
  const auto env = read_worker_env();
  if (!env) {
    std::fprintf(stderr, "worker: %s\n", env.error().c_str());
    return 2;
  }
  try {
    run(parsed.options, *env);
    return 0;
  } catch (const UsageError& error) {
    complain(env->rank, error.what());
    return 2;
  } catch (const PeerFailure& error) {
    complain(env->rank, error.what());
    await_stop(kPeersDeathSeen);  // a peer probably died
    return 1;
  } catch (const std::bad_alloc&) {
    complain(env->rank,
             "not enough memory for a model of this size (--embed, --hidden, --layers, --batch)");
    return 1;
  } catch (const std::exception& error) {
    complain(env->rank, error.what());
    return 1;
  }
}

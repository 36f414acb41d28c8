#include "worker/comm/group.hpp"

#include "worker/comm/gloo.hpp"
#include "worker/comm/single.hpp"

namespace ddp::worker {

std::string Group::share(const std::string& key, const std::string& value,
                         std::chrono::milliseconds timeout) {
  if (server) store->set(key, value);
  return store->get(key, timeout);
}

std::string Group::leaver() {
  if (leavers == nullptr) leavers = std::make_unique<LeaverWatch>(*store);
  return leavers->who();
}

Group join_group(const WorkerEnv& env, std::chrono::milliseconds timeout) {
  Group group;
  if (env.world_size == 1) return group;
  const wire::Hello self{env.rank, env.world_size, env.restart_count, env.run_id};
  if (env.rank == 0)
    group.server = std::make_unique<StoreServer>(self, env.master_addr, env.master_port);
  group.store = std::make_unique<StoreClient>(self, env.master_addr, env.master_port, timeout);
  group.store->join(timeout);
  return group;
}

void add_cpu_communicator(Group& group, const WorkerEnv& env, std::chrono::milliseconds timeout) {
  group.communicator =
      env.world_size == 1 ? make_single_communicator()
                          : make_gloo_communicator(*group.store, env.rank, env.world_size, timeout);
}

}  // namespace ddp::worker

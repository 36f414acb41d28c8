#include "common/client/worker_env.hpp"

#include "common/env_names.hpp"
#include "common/parse.hpp"

#include <cstdlib>
#include <limits>

namespace ddp {
namespace {

constexpr std::int64_t kMostRanks = std::numeric_limits<int>::max();

std::string missing(const char* name, const char* present) {
  return std::string(name) + " is not set though " + present +
         " is: start the worker with ddp-launch (or torchrun), or unset both to run alone";
}

}  // namespace

Result<WorkerEnv> read_worker_env(const GetEnv& get_env) {
  WorkerEnv env;
  const char* const rank = get_env(env::kRank);
  const char* const world = get_env(env::kWorldSize);
  const char* const addr = get_env(env::kMasterAddr);
  const char* const port = get_env(env::kMasterPort);
  if (const char* id = get_env(env::kRunId)) env.run_id = id;

  // Reads an optional integer into `into`; the error, if any, is the caller's to return.
  const auto read = [&](const char* name, std::int64_t low, std::int64_t high,
                        int& into) -> std::string {
    const char* const text = get_env(name);
    if (text == nullptr) return {};
    const auto value = parse_integer(name, text, low, high);
    if (!value) return value.error();
    into = static_cast<int>(*value);
    return {};
  };
  if (auto e = read(env::kLocalRank, 0, kMostRanks - 1, env.local_rank); !e.empty())
    return Error{e};
  if (auto e = read(env::kRestartCount, 0, kMostRanks, env.restart_count); !e.empty())
    return Error{e};

  if (rank == nullptr && world == nullptr) {
    if (addr != nullptr || port != nullptr)
      return Error{missing(env::kRank, addr != nullptr ? env::kMasterAddr : env::kMasterPort)};
    return env;
  }
  if (rank == nullptr) return Error{missing(env::kRank, env::kWorldSize)};
  if (world == nullptr) return Error{missing(env::kWorldSize, env::kRank)};

  env.launched = true;
  if (auto e = read(env::kWorldSize, 1, kMostRanks, env.world_size); !e.empty()) return Error{e};
  if (auto e = read(env::kRank, 0, kMostRanks - 1, env.rank); !e.empty()) return Error{e};
  if (env.rank >= env.world_size) {
    return Error{std::string(env::kRank) + " is " + std::to_string(env.rank) + ": expected 0 to " +
                 std::to_string(env.world_size - 1) + ", because WORLD_SIZE is " +
                 std::to_string(env.world_size)};
  }
  env.local_world_size = env.world_size;
  if (auto e = read(env::kLocalWorldSize, 1, env.world_size, env.local_world_size); !e.empty())
    return Error{e};
  if (env.local_rank >= env.local_world_size) {
    return Error{std::string(env::kLocalRank) + " is " + std::to_string(env.local_rank) +
                 ": expected 0 to " + std::to_string(env.local_world_size - 1) +
                 ", because LOCAL_WORLD_SIZE is " + std::to_string(env.local_world_size)};
  }
  if (env.world_size == 1) return env;

  if (addr == nullptr || *addr == '\0') return Error{missing(env::kMasterAddr, env::kRank)};
  if (port == nullptr) return Error{missing(env::kMasterPort, env::kRank)};
  env.master_addr = addr;
  const auto number = parse_integer(env::kMasterPort, port, 1, 65535);
  if (!number) return Error{number.error()};
  env.master_port = static_cast<std::uint16_t>(*number);
  return env;
}

Result<WorkerEnv> read_worker_env() {
  return read_worker_env([](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace ddp

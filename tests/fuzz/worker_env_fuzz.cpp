// The environment a worker reads: lines NAME=value.
#include "common/client/worker_env.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <map>

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::map<std::string, std::string> variables;
  for (const auto& line : ddp::fuzz::lines_of(ddp::fuzz::text_of(data, size))) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    // c_str: as in a real environment no value holds a NUL.
    variables[line.substr(0, equals)] = line.substr(equals + 1).c_str();
  }
  const auto env = ddp::read_worker_env([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  if (!env) {
    ddp::fuzz::require_one_line(env.error(), "");
    return 0;
  }
  require(env->rank >= 0 && env->rank < env->world_size, "0 <= rank < world size");
  require(env->local_rank >= 0 && env->restart_count >= 0, "numbers are not negative");
  if (env->launched)
    require(env->local_rank < env->local_world_size, "local rank < local world size");
  if (env->world_size > 1)
    require(!env->master_addr.empty() && env->master_port != 0,
            "a group has an address to meet at");
  return 0;
}

// Starts workers without an exec, as forks of a process that has done the slow part of their start.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/spawn.hpp"

#include <optional>
#include <variant>

namespace ddp {

class Forker {
 public:
  virtual ~Forker() = default;
  // A child of this process, set up as os::Spawner sets up a child. nullopt: it cannot, so start
  // the worker the ordinary way; no process is left that would run the worker's program.
  virtual std::optional<std::variant<os::Child, core::SpawnError>> fork(
      const os::SpawnRequest& request) = 0;
  // The process that forks: a child of this process that belongs to no attempt. 0: there is none.
  virtual int pid() const = 0;
};

}  // namespace ddp

// What a check before the launch found.
#pragma once

#include <string>

namespace ddp::core {

struct Finding {
  enum class Level {
    ok,
    warn,
    refuse,  // the launch cannot succeed as it is
  };
  std::string check;   // what was checked: "shared memory"
  std::string found;   // what is here: "64 MiB free in /dev/shm"
  std::string wanted;  // what there should be: "128 MiB: 32 MiB for each rank"
  std::string fix;     // how to get there; empty where it is ok
  Level level = Level::ok;
  // Trouble is near certain: every launch warns of it, not --preflight alone.
  bool certain = false;
};

constexpr const char* name_of(Finding::Level level) {
  switch (level) {
    case Finding::Level::ok:
      return "ok";
    case Finding::Level::warn:
      return "warning";
    case Finding::Level::refuse:
      return "refused";
  }
  return "?";
}

}  // namespace ddp::core

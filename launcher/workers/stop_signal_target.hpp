// --stop-signal-to: which processes of a rank a stop signal goes to.
#pragma once

namespace ddp {

enum class StopScope {
  rank,   // those that launcher/core/processes/stop_scope.hpp selects
  group,  // the process group of the rank's first process, at once
};

}  // namespace ddp

// Where one stream of one worker goes, and how its lines begin: a function of the configuration
// alone.
#pragma once

#include "launcher/output/router.hpp"

#include <string>

namespace ddp::out {

// "stdout", "stderr".
const char* name_of(Stream stream);

struct Route {
  bool console = false;
  bool file = false;
  // The worker can write to the file itself: the file alone gets the lines, and as they are.
  bool direct = false;
};
Route route_of(const RouterConfig& config, int local_rank, Stream stream);

// What the lines of a stream begin with, on the console or in a file, by its template.
Prefix prefix_of(const RouterConfig& config, const PrefixTemplate& source, int generation,
                 int local_rank, Stream stream, bool colour);

}  // namespace ddp::out

// Which output a fault that waits for a line can see.
#pragma once

#include "common/faults/spec.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/output/options.hpp"

namespace ddp {

// The output streams of this machine's ranks that a fault addresses: those that the launcher reads,
// and those that go to files directly.
struct StreamCount {
  int read = 0;
  int unread = 0;
};
StreamCount streams_of(const fault::Spec& spec, const core::RankGroup& ranks,
                       const OutputOptions& output);

}  // namespace ddp

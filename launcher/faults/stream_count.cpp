#include "launcher/faults/stream_count.hpp"

namespace ddp {

StreamCount streams_of(const fault::Spec& spec, const core::RankGroup& ranks,
                       const OutputOptions& output) {
  StreamCount count;
  for (core::LocalRank rank = 0; rank < ranks.nproc; ++rank) {
    if (!spec.addresses(ranks.global(rank).value)) continue;
    const auto& direct = output.redirect.at(static_cast<std::size_t>(rank));
    // A file whose lines begin with something is written by the launcher.
    const bool given_away = output.line_start.file.empty();
    for (const bool redirected : {direct.out, direct.err})
      ++(redirected && given_away ? count.unread : count.read);
  }
  return count;
}

}  // namespace ddp

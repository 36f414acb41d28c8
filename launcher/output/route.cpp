#include "launcher/output/route.hpp"

namespace ddp::out {
namespace {

bool is_set(const std::vector<StreamSet>& sets, int local_rank, Stream stream) {
  const auto index = static_cast<std::size_t>(local_rank);
  if (index >= sets.size()) return false;
  return stream == Stream::out ? sets[index].out : sets[index].err;
}

}  // namespace

const char* name_of(Stream stream) { return stream == Stream::out ? "stdout" : "stderr"; }

Route route_of(const RouterConfig& config, int local_rank, Stream stream) {
  const auto index = static_cast<std::size_t>(local_rank);
  const bool tee = is_set(config.tee, local_rank, stream);
  const bool redirect = is_set(config.redirect, local_rank, stream);
  const bool shown = index >= config.shown.size() || config.shown[index];
  Route route;
  route.file = (tee || redirect) && !config.log_dir.empty();
  const bool only_file = route.file && !tee;
  route.console = config.style != Style::none && shown && !only_file;
  route.direct = only_file && config.line_start.file.empty();
  return route;
}

Prefix prefix_of(const RouterConfig& config, const PrefixTemplate& source, int generation,
                 int local_rank, Stream stream, bool colour) {
  const PrefixFields fields{.rank = config.ranks.global(local_rank).value,
                            .local_rank = local_rank,
                            .world_size = config.ranks.world_size(),
                            .attempt = generation,
                            .stream = name_of(stream),
                            .run_id = config.run_id,
                            .role = config.role};
  return {source, fields, config.line_start.time, config.began, colour};
}

}  // namespace ddp::out

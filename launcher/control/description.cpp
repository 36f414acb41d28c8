#include "launcher/control/description.hpp"

#include "common/signal_name.hpp"
#include "common/utf8.hpp"
#include "launcher/core/group/transitions.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <cmath>
#include <variant>

namespace ddp::control {
namespace {

namespace json = boost::json;

json::object info_object(const LaunchDescription& launch, const core::Group& group,
                         core::TimePoint now) {
  json::array command;
  for (const auto& word : launch.command) command.emplace_back(as_utf8(word));
  json::object object;
  object["ok"] = true;
  object["run_id"] = as_utf8(launch.run_id);
  object["pid"] = launch.pid;
  object["age_ns"] = (now - launch.began).count();
  object["state"] = core::name_of(group.phase());
  object["generation"] = group.generation();
  object["restarts"] = group.restarts();
  object["first_rank"] = launch.ranks.first_rank().value;
  object["nproc"] = launch.ranks.nproc;
  object["world_size"] = launch.ranks.world_size();
  object["command"] = std::move(command);
  if (!launch.log_dir.empty()) object["log_dir"] = as_utf8(launch.log_dir);
  return object;
}

double seconds(core::Nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

json::object rank_object(int rank, const core::RankProgress& one) {
  json::object object;
  object["rank"] = rank;
  if (one.pid > 0) object["pid"] = one.pid;
  const auto state = core::name_of(one.state);
  object["state"] = json::string_view(state.data(), state.size());
  if (one.status) {
    if (const auto* exited = std::get_if<core::Exited>(&*one.status)) {
      object["code"] = exited->code;
    } else {
      object["signal"] = signal_name(std::get<core::Signaled>(*one.status).signal);
    }
  }
  if (one.step) object["step"] = *one.step;
  if (one.step_time && one.step_time->count() > 0)
    object["steps_per_s"] = 1 / seconds(*one.step_time);
  if (one.busy) object["busy_s"] = seconds(*one.busy);
  if (one.loss && std::isfinite(*one.loss)) object["loss"] = *one.loss;
  if (!one.phase.empty()) object["phase"] = as_utf8(one.phase);
  return object;
}

}  // namespace

std::string status_line(const LaunchDescription& launch, const core::Group& group,
                        const core::Progress& progress, core::TimePoint now) {
  json::object object = info_object(launch, group, now);
  object["up"] = progress.up();
  if (const auto step = progress.step()) {
    object["step"] = step->step;
    if (step->loss && std::isfinite(*step->loss)) object["loss"] = *step->loss;
    if (step->slowest) object["slowest_rank"] = launch.ranks.global(*step->slowest).value;
  }
  if (const auto total = progress.total_steps()) object["total_steps"] = *total;
  if (const auto rate = progress.rate()) object["steps_per_s"] = *rate;
  if (const auto left = progress.time_left()) object["time_left_ns"] = left->count();
  json::array ranks;
  for (core::LocalRank rank = 0; rank < launch.ranks.nproc; ++rank) {
    ranks.push_back(rank_object(launch.ranks.global(rank).value,
                                progress.ranks()[static_cast<std::size_t>(rank)]));
  }
  object["ranks"] = std::move(ranks);
  return json::serialize(object) + "\n";
}

std::string info_line(const LaunchDescription& launch, const core::Group& group,
                      core::TimePoint now) {
  return json::serialize(info_object(launch, group, now)) + "\n";
}

}  // namespace ddp::control

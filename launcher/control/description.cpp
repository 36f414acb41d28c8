#include "launcher/control/description.hpp"

#include "common/utf8.hpp"
#include "launcher/core/group/transitions.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

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

}  // namespace

std::string info_line(const LaunchDescription& launch, const core::Group& group,
                      core::TimePoint now) {
  return json::serialize(info_object(launch, group, now)) + "\n";
}

}  // namespace ddp::control

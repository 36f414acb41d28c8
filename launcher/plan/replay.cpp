#include "launcher/plan/replay.hpp"

#include "launcher/base/text_file.hpp"
#include "launcher/events/event_log.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace ddp {
namespace {

// Enough for the events of a run with a million faults.
constexpr std::size_t kLargestFile = std::size_t{256} << 20;

}  // namespace

Result<core::FaultPlan> parse_replay(std::string_view text, const std::string& path,
                                     int world_size) {
  core::FaultPlan plan;
  plan.name = "replay of " + path;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(whole ? end + 1 : text.size());
    if (line.empty()) continue;
    const auto refused = [&](const std::string& why) {
      return Error{path + ":" + std::to_string(number) + ": " + why};
    };
    boost::system::error_code failed;
    const auto value = boost::json::parse({line.data(), line.size()}, failed);
    if (failed && !whole) break;
    const auto* object = failed ? nullptr : value.if_object();
    if (object == nullptr) return refused("not an event: expected one JSON object a line");
    const auto* version = object->if_contains("v");
    if (version != nullptr && *version != kEventVersion)
      return refused("\"v\" is " + boost::json::serialize(*version) + ": expected " +
                     std::to_string(kEventVersion) + ", the version of this ddp-launch");
    const auto* event = object->if_contains("event");
    if (event == nullptr || event->if_string() == nullptr)
      return refused("not an event: it has no \"event\"");
    if (*event->if_string() != "fault_injected") continue;
    const auto* spec = object->if_contains("replay");
    if (spec == nullptr || spec->if_string() == nullptr)
      return refused("a fault_injected event without \"replay\"");
    const auto& spec_text = *spec->if_string();
    auto parsed = fault::parse({spec_text.data(), spec_text.size()}, world_size);
    if (!parsed) return refused("'" + std::string(spec_text.c_str()) + "': " + parsed.error());
    plan.faults.push_back(std::move(*parsed));
  }
  if (plan.faults.empty()) return Error{path + ": no fault was injected in this run"};
  return plan;
}

Result<core::FaultPlan> read_replay(const std::string& path, int world_size) {
  const auto text = read_text_file(path, kLargestFile);
  if (!text) return Error{path + ": " + text.error()};
  return parse_replay(*text, path, world_size);
}

}  // namespace ddp

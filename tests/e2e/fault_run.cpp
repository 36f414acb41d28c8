#include "tests/e2e/fault_run.hpp"

namespace ddp::test {

Words recorded(const Scene& scene, const std::string& name) {
  return {"--log-dir", scene.path("logs"), "--run-id", name};
}

std::string events_path(const Scene& scene, const std::string& name) {
  return scene.path("logs/" + name + "/events.jsonl");
}

std::vector<JsonLine> events_of(const Scene& scene, const std::string& event,
                                const std::string& name) {
  return events_named(events_path(scene, name), event);
}

Words fields_of(const Scene& scene, const std::string& event, const std::string& field_name,
                const std::string& name) {
  Words fields;
  for (const auto& line : events_of(scene, event, name)) fields.push_back(field(line, field_name));
  return fields;
}

Words injected(const Scene& scene, const std::string& name) {
  return fields_of(scene, "fault_injected", "replay", name);
}

}  // namespace ddp::test

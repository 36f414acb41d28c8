#include "tests/e2e/fault_run.hpp"

namespace ddp::test {

Words recorded(const Scene& scene, const std::string& name) {
  return {"--log-dir", scene.path("logs"), "--run-id", name};
}

std::string events_path(const Scene& scene, const std::string& name) {
  return scene.path("logs/" + name + "/events.jsonl");
}

Words events_of(const Scene& scene, const std::string& event, const std::string& name) {
  Words found;
  for (const auto& line : lines_of(read_file(events_path(scene, name)))) {
    if (field(line, "event") == event) found.push_back(line);
  }
  return found;
}

std::string field(const std::string& line, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const auto at = line.find(key);
  if (at == std::string::npos) return {};
  const auto from = at + key.size();
  if (line[from] == '"') return line.substr(from + 1, line.find('"', from + 1) - from - 1);
  return line.substr(from, line.find_first_of(",}", from) - from);
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

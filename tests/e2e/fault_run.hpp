// A launch with faults, and its events.
#pragma once

#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <string>

namespace ddp::test {

// Flags that write the run's events to events_path().
Words recorded(const Scene& scene, const std::string& name = "run");
std::string events_path(const Scene& scene, const std::string& name = "run");

// The events of this name, in order.
std::vector<JsonLine> events_of(const Scene& scene, const std::string& event,
                                const std::string& name = "run");
// One field of each event of this name, in order.
Words fields_of(const Scene& scene, const std::string& event, const std::string& field_name,
                const std::string& name = "run");
// The injected faults, as they are typed to inject the same again.
Words injected(const Scene& scene, const std::string& name = "run");

}  // namespace ddp::test

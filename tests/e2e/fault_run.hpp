// A launch with faults, and what its events.jsonl tells of them.
#pragma once

#include "tests/e2e/launch.hpp"

#include <string>

namespace ddp::test {

// Flags that keep the run's events at a known place.
Words recorded(const Scene& scene, const std::string& name = "run");
std::string events_path(const Scene& scene, const std::string& name = "run");

// The lines of the event file that are of this event, in order.
Words events_of(const Scene& scene, const std::string& event, const std::string& name = "run");
// The text of a string field, or the digits of a number; empty: the line has no such field.
std::string field(const std::string& line, const std::string& name);
// One field of each event of this kind, in order.
Words fields_of(const Scene& scene, const std::string& event, const std::string& field_name,
                const std::string& name = "run");
// The faults that struck, as they would be typed to strike the same again.
Words injected(const Scene& scene, const std::string& name = "run");

}  // namespace ddp::test

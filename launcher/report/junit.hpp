// JUnit XML, as CI systems read it to show results.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

struct JUnitCase {
  std::string name;
  std::optional<std::string> failure;  // one line; none: passed
};

struct JUnitSuite {
  std::string name;
  std::chrono::nanoseconds duration{};
  std::string output;  // shown with the suite
  std::vector<JUnitCase> cases;
};

// Well-formed whatever the texts hold: what XML 1.0 cannot carry is replaced by U+FFFD.
std::string junit_xml(const std::vector<JUnitSuite>& suites);

// Writes `text` beside `path` and renames it into place, so that no reader sees half a file.
// Returns one line that names the path and the reason, empty on success.
std::string write_whole_file(const std::string& path, const std::string& text);

}  // namespace ddp

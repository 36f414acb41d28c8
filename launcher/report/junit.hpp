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

}  // namespace ddp

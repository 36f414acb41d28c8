// JUnit XML, which CI systems read to show results.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

struct JUnitCase {
  std::string name;
  std::optional<std::string> failure = std::nullopt;  // one line; none: passed
  std::string details = {};                           // lines that explain it; empty: none
};

struct JUnitSuite {
  std::string name;
  std::chrono::nanoseconds duration{};
  std::string output;  // shown with the suite
  std::vector<JUnitCase> cases;
};

// Well-formed for any text: characters that XML 1.0 does not allow become U+FFFD.
std::string junit_xml(const std::vector<JUnitSuite>& suites);

// Writes `suites` to the file `path`. Returns one line for the user, empty on success.
std::string write_junit(const std::string& path, const std::vector<JUnitSuite>& suites);

}  // namespace ddp

#include "launcher/report/junit.hpp"

#include "common/utf8.hpp"
#include "launcher/base/write_file.hpp"

#include <fmt/core.h>

#include <string_view>

namespace ddp {
namespace {

// The length of the character at the head of `text` if XML 1.0 allows it (section 2.2 of the
// recommendation); 0 if not.
std::size_t allowed_character(std::string_view text) {
  const std::size_t length = utf8_character(text);
  if (length == 1) {
    const auto byte = static_cast<unsigned char>(text[0]);
    return byte >= 0x20 || byte == '\t' || byte == '\n' ? 1 : 0;
  }
  const bool no_character = text.starts_with("\xEF\xBF\xBE") || text.starts_with("\xEF\xBF\xBF");
  return no_character ? 0 : length;
}

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = allowed_character(text);
    if (length == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    switch (text[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string seconds(std::chrono::nanoseconds duration) {
  return fmt::format("{:.3f}", static_cast<double>(duration.count()) / 1e9);
}

}  // namespace

std::string junit_xml(const std::vector<JUnitSuite>& suites) {
  std::size_t all = 0;
  std::size_t all_failed = 0;
  std::chrono::nanoseconds all_time{};
  std::string body;
  for (const auto& suite : suites) {
    std::size_t failed = 0;
    std::string cases;
    for (const auto& one : suite.cases) {
      cases += fmt::format(R"(    <testcase classname="{}" name="{}")", escaped(suite.name),
                           escaped(one.name));
      if (one.failure) {
        ++failed;
        cases += fmt::format(
            ">\n      <failure message=\"{}\"{}\n    </testcase>\n", escaped(*one.failure),
            one.details.empty() ? "/>" : ">" + escaped(one.details) + "</failure>");
      } else {
        cases += "/>\n";
      }
    }
    body += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\" "
        "time=\"{}\">\n{}",
        escaped(suite.name), suite.cases.size(), failed, seconds(suite.duration), cases);
    if (!suite.output.empty())
      body += "    <system-out>" + escaped(suite.output) + "</system-out>\n";
    body += "  </testsuite>\n";
    all += suite.cases.size();
    all_failed += failed;
    all_time += suite.duration;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"ddp-launch\" tests=\"{}\" "
      "failures=\"{}\" errors=\"0\" time=\"{}\">\n{}</testsuites>\n",
      all, all_failed, seconds(all_time), body);
}

std::string write_junit(const std::string& path, const std::vector<JUnitSuite>& suites) {
  const std::string failure = write_whole_file(path, junit_xml(suites));
  return failure.empty() ? "" : "cannot write the JUnit file: " + failure;
}

}  // namespace ddp

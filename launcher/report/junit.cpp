#include "launcher/report/junit.hpp"

#include "common/utf8.hpp"
#include "launcher/os/fd.hpp"

#include <fmt/core.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
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
        cases += fmt::format(">\n      <failure message=\"{}\"/>\n    </testcase>\n",
                             escaped(*one.failure));
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

namespace {

// Empty, or why not.
std::string write_to(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(fd, text.data() + done, text.size() - done);
    if (count == -1 && errno == EINTR) continue;
    if (count <= 0) return std::strerror(errno);
    done += static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace

std::string write_whole_file(const std::string& path, const std::string& text) {
  namespace fs = std::filesystem;
  std::error_code absent;
  const fs::path target = fs::canonical(path, absent);  // what a link points to, not the link
  const std::string file_path = absent ? path : target.string();
  const auto refused = [&](const std::string& why) { return path + ": " + why; };
  if (!absent && !fs::is_regular_file(target, absent)) {
    // A device or a FIFO is written to, never replaced.
    const os::ScopedFd file(::open(file_path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return refused(std::strerror(errno));
    const std::string why = write_to(file.get(), text);
    return why.empty() ? "" : refused(why);
  }
  const std::string beside = file_path + "." + std::to_string(::getpid()) + ".tmp";
  const auto failed = [&](const std::string& why) {
    ::unlink(beside.c_str());
    return refused(why);
  };
  os::ScopedFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return failed(std::strerror(errno));
  if (const std::string why = write_to(file.get(), text); !why.empty()) return failed(why);
  file.reset();
  if (std::rename(beside.c_str(), file_path.c_str()) != 0) return failed(std::strerror(errno));
  return {};
}

}  // namespace ddp

#include "tests/support/json_lines.hpp"

#include "tests/support/temp_dir.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>

namespace ddp::test {

std::string field(const JsonLine& line, const std::string& name) {
  const auto found = line.find(name);
  return found == line.end() ? "" : found->second;
}

std::vector<JsonLine> json_lines(const std::string& text) {
  std::vector<JsonLine> lines;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    JsonLine line;
    const auto value = boost::json::parse(text.substr(begin, end - begin));
    for (const auto& [name, content] : value.as_object()) {
      line[std::string(name)] =
          content.is_string() ? std::string(content.get_string()) : boost::json::serialize(content);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<JsonLine> events_named(const std::string& events_path, const std::string& event) {
  if (!std::filesystem::exists(events_path)) return {};
  std::vector<JsonLine> found;
  for (auto& line : json_lines(read_file(events_path))) {
    if (field(line, "event") == event) found.push_back(std::move(line));
  }
  return found;
}

}  // namespace ddp::test

// Reads files of one JSON object per line, such as events.jsonl, and the lines of --json.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace ddp::test {

// The fields of one line as text: a string as it is, anything else as JSON ("7", "true").
using JsonLine = std::map<std::string, std::string>;

// The text of a field; empty if the line does not have it.
std::string field(const JsonLine& line, const std::string& name);

// Every line of `text`; throws for a line that is not a JSON object. A last line without a newline
// is still being written and left out.
std::vector<JsonLine> json_lines(const std::string& text);

// The events of this name in an events.jsonl, in order; none if the file does not exist.
std::vector<JsonLine> events_named(const std::string& events_path, const std::string& event);

}  // namespace ddp::test

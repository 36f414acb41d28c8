#include "launcher/control/protocol.hpp"

#include "common/signal_name.hpp"
#include "common/utf8.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>

namespace ddp::control {
namespace {

namespace json = boost::json;

constexpr std::int64_t kHighestRank = 1'000'000;

enum Takes : unsigned {
  kNothing = 0,
  kRanks = 1,
  kOneRank = 2,
  kSignal = 4,
  kFault = 8,
  kLines = 16,
};

struct Row {
  Command command;
  std::string_view name;
  unsigned takes;
};

// In the order of the enumeration.
constexpr Row kRows[] = {
    {Command::info, "info", kNothing},
    {Command::status, "status", kNothing},
    {Command::logs, "logs", kRanks | kLines},
    {Command::stop, "stop", kNothing},
    {Command::restart, "restart", kNothing},
    {Command::kill, "kill", kRanks | kOneRank},
    {Command::signal, "signal", kRanks | kSignal},
    {Command::stacks, "stacks", kRanks},
    {Command::inject, "inject", kFault},
};

const Row& row_of(Command command) { return kRows[static_cast<std::size_t>(command)]; }

std::string command_names() {
  std::string text;
  for (const Row& row : kRows) {
    const bool last = &row == std::prev(std::end(kRows));
    text += (text.empty() ? "" : last ? " or " : ", ") + std::string(row.name);
  }
  return text;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 64;
  return "'" + without_controls(utf8_prefix(text, kShown)) + "'";
}

std::string_view text_of(json::string_view text) { return {text.data(), text.size()}; }
json::string_view json_text(std::string_view text) { return {text.data(), text.size()}; }

std::optional<Error> read_ranks(const json::value& value, std::vector<int>& ranks) {
  const auto* list = value.if_array();
  if (list == nullptr) return Error{"ranks: expected an array of numbers"};
  for (const auto& one : *list) {
    const auto* rank = one.if_int64();
    if (rank == nullptr || *rank < 0 || *rank > kHighestRank)
      return Error{"ranks: expected numbers from 0"};
    ranks.push_back(static_cast<int>(*rank));
  }
  return std::nullopt;
}

std::optional<Error> read_signal(const json::value& value, int& signal) {
  const auto* text = value.if_string();
  const auto number = text != nullptr ? parse_signal(text_of(*text)) : std::nullopt;
  if (!number) return Error{"signal: expected the name of a signal, such as USR1"};
  signal = *number;
  return std::nullopt;
}

std::optional<Error> read_lines(const json::value& value, int& lines) {
  const auto* number = value.if_int64();
  if (number == nullptr || *number < 0 || *number > kMostLines)
    return Error{"lines: expected a number from 0 to " + std::to_string(kMostLines)};
  lines = static_cast<int>(*number);
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Command command) { return row_of(command).name; }

Result<Request> parse_request(std::string_view line) {
  json::error_code failed;
  const json::value value = json::parse(json_text(line), failed);
  const auto* object = failed ? nullptr : value.if_object();
  if (object == nullptr) return Error{"not a request: expected one JSON object a line"};
  const auto* command = object->if_contains("command");
  if (command == nullptr || !command->is_string())
    return Error{"the request has no command: expected " + command_names()};
  const std::string_view name = text_of(command->get_string());
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&](const Row& one) { return one.name == name; });
  if (row == std::end(kRows))
    return Error{"command " + quoted(name) + ": expected " + command_names()};
  Request request{.command = row->command};
  for (const auto& [key, field] : *object) {
    std::optional<Error> wrong;
    if (key == "command") continue;
    if (key == "ranks" && (row->takes & kRanks) != 0) {
      wrong = read_ranks(field, request.ranks);
    } else if (key == "signal" && (row->takes & kSignal) != 0) {
      wrong = read_signal(field, request.signal);
    } else if (key == "fault" && (row->takes & kFault) != 0 && field.is_string()) {
      request.fault = std::string(text_of(field.get_string()));
    } else if (key == "lines" && (row->takes & kLines) != 0) {
      wrong = read_lines(field, request.lines);
    } else if (key == "follow" && (row->takes & kLines) != 0 && field.is_bool()) {
      request.follow = field.get_bool();
    } else {
      wrong = Error{std::string(row->name) + " takes no " + quoted(text_of(key))};
    }
    if (wrong) return *wrong;
  }
  if ((row->takes & kOneRank) != 0 && request.ranks.size() != 1)
    return Error{std::string(row->name) + ": expected one rank"};
  if ((row->takes & kSignal) != 0 && request.signal == 0)
    return Error{"signal: expected a signal such as USR1"};
  if ((row->takes & kFault) != 0 && request.fault.empty())
    return Error{"inject: expected a fault such as kill@rank=2"};
  return request;
}

std::string request_line(const Request& request) {
  json::object object;
  object["command"] = json_text(name_of(request.command));
  if (!request.ranks.empty())
    object["ranks"] = json::array(request.ranks.begin(), request.ranks.end());
  if (request.signal != 0) object["signal"] = signal_name(request.signal);
  if (!request.fault.empty()) object["fault"] = request.fault;
  if (request.lines != kMostLines) object["lines"] = request.lines;
  if (request.follow) object["follow"] = true;
  return json::serialize(object) + "\n";
}

std::string accepted() { return "{\"ok\":true}\n"; }

std::string refused(std::string_view why) {
  json::object object;
  object["ok"] = false;
  object["error"] = as_utf8(why);
  return json::serialize(object) + "\n";
}

}  // namespace ddp::control

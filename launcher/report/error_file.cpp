#include "launcher/report/error_file.hpp"

#include "common/utf8.hpp"
#include "launcher/report/recorded_traceback.hpp"
#include "launcher/report/traceback.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <utility>
#include <vector>

namespace ddp {
namespace {

// The four digits of the \u escape at the head of `text`; -1: there is none.
int escaped_unit(std::string_view text) {
  if (text.size() < 6 || !text.starts_with("\\u")) return -1;
  int unit = 0;
  for (const char c : text.substr(2, 4)) {
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Python writes a byte of a file name that is no UTF-8 as half of a surrogate pair ("\udcff"),
// which Boost.JSON refuses.
std::string without_half_surrogates(std::string_view json) {
  const auto high = [](int unit) { return unit >= 0xd800 && unit <= 0xdbff; };
  const auto low = [](int unit) { return unit >= 0xdc00 && unit <= 0xdfff; };
  std::string text;
  text.reserve(json.size());
  while (!json.empty()) {
    std::size_t length = json[0] == '\\' && json.size() > 1 ? 2 : 1;
    const int unit = escaped_unit(json);
    if (high(unit) && low(escaped_unit(json.substr(6)))) {
      length = 12;
    } else if (high(unit) || low(unit)) {
      text += "\\ufffd";
      json.remove_prefix(6);
      continue;
    }
    text += json.substr(0, length);
    json.remove_prefix(length);
  }
  return text;
}

const boost::json::value* value_in(const boost::json::object& object, const char* key) {
  return object.if_contains(key);
}

std::string text_in(const boost::json::object& object, const char* key) {
  const auto* value = value_in(object, key);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(text->data(), text->size()) : std::string();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

void add_traceback(core::RankException& exception, const std::string& callstack) {
  const auto lines = lines_of(callstack);
  auto recorded = recorded_traceback(lines);
  exception.traceback = std::move(recorded.lines);
  if (!exception.text.empty() && !recorded.in_data_loader) return;
  if (!recorded.exception.empty()) {
    exception.text = std::move(recorded.exception);
  } else if (auto found = find_traceback(lines)) {  // a syntax error, which has no header
    exception.text = std::move(found->text);
  }
}

}  // namespace

std::optional<core::RankException> parse_error_file(std::string_view json) {
  if (json.size() > kErrorFileBytes) return std::nullopt;
  boost::system::error_code failed;
  const auto document = boost::json::parse(without_half_surrogates(as_utf8(json)), failed);
  const auto* object = failed ? nullptr : document.if_object();
  const auto* message = object != nullptr ? value_in(*object, "message") : nullptr;
  if (message == nullptr) return std::nullopt;
  core::RankException exception{.recorded = true};
  if (const auto* text = message->if_string()) {
    exception.text = exception_line({text->data(), text->size()});
  } else if (const auto* details = message->if_object()) {
    exception.text = exception_line(text_in(*details, "message"));
    const auto* extra = value_in(*details, "extraInfo");
    if (const auto* info = extra != nullptr ? extra->if_object() : nullptr)
      add_traceback(exception, text_in(*info, "py_callstack"));
  }
  if (exception.text.empty()) return std::nullopt;
  return exception;
}

std::string error_file_text(const core::RankException& exception, int exit_code,
                            long long seconds_since_epoch) {
  std::string callstack;
  for (const auto& line : exception.traceback) callstack += line + "\n";
  if (callstack.empty()) callstack = exception.text + "\n";
  const boost::json::object extra{{"py_callstack", as_utf8(callstack)},
                                  {"timestamp", std::to_string(seconds_since_epoch)}};
  const boost::json::object message{
      {"message", as_utf8(exception.text)}, {"extraInfo", extra}, {"errorCode", exit_code}};
  return boost::json::serialize(boost::json::object{{"message", message}});
}

}  // namespace ddp

#include "launcher/cli/config_file.hpp"

#include "launcher/base/text_file.hpp"
#include "launcher/base/toml.hpp"
#include "launcher/cli/flags.hpp"

#include <charconv>

namespace ddp {
namespace {

constexpr const char* kBoolean = "true or false";

constexpr std::size_t kLargestFile = 1 << 20;

const char* type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return kBoolean;
    default:
      return "a date or time";
  }
}

std::string_view allowed(ValueKind kind) {
  switch (kind) {
    case ValueKind::number:
      return "an integer or a string";
    case ValueKind::real:
      return "a number or a string";
    case ValueKind::duration:
      return "a number of seconds or a string such as \"10m\"";
    case ValueKind::list:
      return "an integer, a string, or an array of both";
    case ValueKind::several:
      return "a string or an array of strings";
    case ValueKind::toggle:
      return kBoolean;
    default:
      return "a string";
  }
}

// A value as the command line would spell it, or nothing where its type is not allowed.
std::optional<std::string> as_text(const toml::node& node, ValueKind kind) {
  if (kind == ValueKind::toggle) {
    const auto flag = node.value_exact<bool>();
    if (!flag) return std::nullopt;
    return *flag ? "true" : "false";
  }
  const bool number = kind != ValueKind::text && kind != ValueKind::several;
  const bool fraction = kind == ValueKind::duration || kind == ValueKind::real;
  if (node.is_string() || (node.is_integer() && number) || (node.is_floating_point() && fraction))
    return toml_scalar_text(node);
  const auto* array = node.as_array();
  if (array == nullptr || array->empty() || kind != ValueKind::list) return std::nullopt;
  std::string joined;
  for (const toml::node& element : *array) {
    const auto text = as_text(element, ValueKind::number);
    if (!text) return std::nullopt;
    joined += (joined.empty() ? "" : ",") + *text;
  }
  return joined;
}

Result<std::vector<std::string>> read_command(const toml::node& node, const std::string& where) {
  const Error wrong{where + "command is " + type_name(node) +
                    ": expected an array of strings, such as [\"./worker\", \"--steps\", \"100\"]"};
  const auto* array = node.as_array();
  if (array == nullptr) return wrong;
  std::vector<std::string> command;
  for (const toml::node& word : *array) {
    const auto text = word.value_exact<std::string>();
    if (!text) return wrong;
    command.push_back(*text);
  }
  if (command.empty() || command[0].empty())
    return Error{where + "command is empty: expected a program and its arguments"};
  return command;
}

std::optional<Error> read_key(std::string_view key, const toml::node& node, const std::string& path,
                              const std::string& where, ConfigFile& file) {
  const FlagSpec* const spec = find_flag(key);
  if (spec == nullptr || spec->kind == ValueKind::shell_only) {
    const std::string hint =
        spec != nullptr ? " is allowed on the command line only" : " is not an option";
    std::string guess = spec != nullptr ? "" : did_you_mean_flag("--" + std::string(key));
    if (const std::size_t dashes = guess.find("--"); dashes != std::string::npos)
      guess.erase(dashes, 2);  // a key has no dashes
    return Error{where + std::string(key) + hint + guess +
                 ": expected a long flag without its dashes, or command"};
  }
  if (file.settings.get(first_name(*spec)) != nullptr)
    return Error{where + std::string(key) + " is given twice: expected one of its spellings"};
  const auto add = [&](const toml::node& value, const std::string& at) -> std::optional<Error> {
    const auto text = as_text(value, spec->kind);
    if (!text)
      return Error{at + std::string(key) + " is " + type_name(value) + ": expected " +
                   std::string(allowed(spec->kind))};
    const std::string source = at.substr(0, at.rfind(": "));
    file.settings.add(first_name(*spec), {at + std::string(key), *text, source});
    return std::nullopt;
  };
  const auto* const array = node.as_array();
  if (spec->kind != ValueKind::several || array == nullptr) return add(node, where);
  for (const toml::node& value : *array) {
    if (auto error = add(value, toml_place(path, value.source().begin))) return error;
  }
  return std::nullopt;
}

}  // namespace

Result<ConfigFile> parse_config(std::string_view text, const std::string& path) {
  const auto parsed = parse_toml(text, path);
  if (!parsed) return Error{parsed.error()};
  ConfigFile file;
  for (const auto& [key, node] : *parsed) {
    const std::string where = toml_place(path, key.source().begin);
    if (key.str() == "command") {
      auto command = read_command(node, where);
      if (!command) return Error{command.error()};
      file.command = std::move(*command);
    } else if (auto error = read_key(key.str(), node, path, where, file)) {
      return *error;
    }
  }
  return file;
}

Result<ConfigFile> read_config_file(const std::string& path) {
  const auto refused = [&](const std::string& why) {
    return Error{"--config is '" + path + "': expected a readable TOML file: " + why};
  };
  const auto text = read_text_file(path, kLargestFile);
  if (!text) return refused(text.error());
  return parse_config(*text, path);
}

}  // namespace ddp

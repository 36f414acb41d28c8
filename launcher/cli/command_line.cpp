#include "launcher/cli/command_line.hpp"

#include "launcher/cli/flags.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <span>

namespace ddp {
namespace {

// "--max-restarts,--max_restarts": torchrun accepts both, and so its users may.
std::string names_for_parser(const FlagSpec& spec) {
  std::string names;
  for_each_name(spec, [&](std::string_view name) {
    names += (names.empty() ? "" : ",") + std::string(name);
    if (name.find('-', 2) == std::string_view::npos) return;
    std::string underscored(name);
    std::replace(underscored.begin() + 2, underscored.end(), '-', '_');
    names += "," + underscored;
  });
  return names;
}

// Which flags of the table may be among these words. CLI11 compares each name that it is given with
// all others, which for the whole table takes longer than the rest of a launch's preparation.
std::vector<bool> mentioned_flags(std::span<const char* const> words) {
  const std::span<const FlagSpec> table = flag_table();
  std::vector<bool> mentioned(table.size());
  bool short_names = false;
  for (const std::string_view word : words) {
    if (word.starts_with("--")) {
      if (const FlagSpec* const spec = find_flag(word.substr(2, word.find('=') - 2)))
        mentioned[static_cast<std::size_t>(spec - table.data())] = true;
    } else {
      short_names |= word.size() > 1 && word[0] == '-';
    }
  }
  for (std::size_t i = 0; short_names && i < table.size(); ++i)
    for_each_name(table[i], [&](std::string_view name) {
      if (name.size() == 2) mentioned[i] = true;
    });
  return mentioned;
}

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

// CLI11 takes the next word as the value of "--flag=", which no user means.
std::optional<Error> flag_without_value(std::span<const char* const> words) {
  for (const std::string_view word : words) {
    const std::size_t equals = word.find('=');
    if (!word.starts_with("--") || equals == std::string_view::npos || equals + 1 != word.size())
      continue;
    if (find_flag(word.substr(2, equals - 2)) != nullptr)
      return Error{std::string(word.substr(0, equals)) + " needs a value"};
  }
  return std::nullopt;
}

// The flag as the user spelled it, so that a message about --rdzv_id does not speak of --run-id.
std::string typed_name(const FlagSpec& spec, std::span<const char* const> words) {
  std::string typed(first_name(spec));
  for (const std::string_view word : words) {
    if (!word.starts_with("--")) continue;
    const std::string_view name = word.substr(0, word.find('='));
    if (find_flag(name.substr(2)) == &spec) return std::string(name);
  }
  return typed;
}

std::optional<Error> store(const FlagSpec& spec, const CLI::Option& option,
                           std::span<const char* const> words, Settings& settings) {
  const auto& results = option.results();
  if (results.empty()) return std::nullopt;
  const std::string name = typed_name(spec, words);
  if (results.size() > 1 && spec.kind != ValueKind::several) {
    std::string error = name + " is given " +
                        (results.size() == 2 ? "twice" : std::to_string(results.size()) + " times");
    if (!spec.argument.empty())
      error +=
          ": " + in_quotes(results[0]) + " and " + in_quotes(results[1]) + ": expected one value";
    return Error{error};
  }
  if (spec.argument.empty() && results[0] != "true")
    return Error{name + " is " + in_quotes(results[0]) + ": expected no value"};
  // What looks like a flag is one whose predecessor lost its value ("--log-dir --nproc 2").
  for (const auto& value : results) {
    if (!spec.argument.empty() && value.starts_with("--"))
      return Error{name + " needs a value, not " + in_quotes(value)};
    settings.add(first_name(spec), {name, value});
  }
  return std::nullopt;
}

}  // namespace

Result<CommandLine> read_command_line(int argc, const char* const* argv) {
  CLI::App app;
  app.set_help_flag();  // help is a flag of our table, rendered from it
  app.prefix_command();
  std::vector<std::pair<const FlagSpec*, CLI::Option*>> options;  // in the order of the table
  const std::vector<bool> mentioned = mentioned_flags({argv + 1, argv + argc});
  for (std::size_t i = 0; i < flag_table().size(); ++i) {
    if (!mentioned[i]) continue;
    const FlagSpec& spec = flag_table()[i];
    const std::string names = names_for_parser(spec);
    CLI::Option* const option = spec.argument.empty() ? app.add_flag(names) : app.add_option(names);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    options.emplace_back(&spec, option);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ArgumentMismatch& error) {
    // CLI11 throws this before anything else is known; its text begins with the flag's name.
    const std::string_view text = error.what();
    return Error{std::string(text.substr(0, text.find(':'))) + " needs a value"};
  } catch (const CLI::ParseError& error) {
    return Error{error.what()};
  }

  CommandLine line;
  line.command = app.remaining();
  // --help and --version are answered whatever else is wrong.
  for (const char* const flag : {"--help", "--version"}) {
    if (app.get_option_no_throw(flag) != nullptr && app.count(flag) > 0) {
      line.settings.set(flag, {flag, "true"});
      return line;
    }
  }
  if (!line.command.empty() && line.command[0] != "--" && line.command[0].size() > 1 &&
      line.command[0][0] == '-') {
    const std::string name = line.command[0].substr(0, line.command[0].find('='));
    return Error{"unknown option " + in_quotes(name) + did_you_mean_flag(name) +
                 ": see ddp-launch --help; a program's own options follow its name"};
  }
  const std::span<const char* const> words(argv + 1, argv + argc - line.command.size());
  if (auto error = flag_without_value(words)) return *error;
  for (const auto& [spec, option] : options) {
    if (auto error = store(*spec, *option, words, line.settings)) return *error;
  }
  if (!line.command.empty() && line.command[0] == "--") line.command.erase(line.command.begin());
  return line;
}

}  // namespace ddp

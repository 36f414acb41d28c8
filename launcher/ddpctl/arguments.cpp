#include "launcher/ddpctl/arguments.hpp"

#include "common/parse.hpp"
#include "common/signal_name.hpp"
#include "common/utf8.hpp"
#include "launcher/base/table.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ddp::ctl {
namespace {

std::string quoted(std::string_view text) { return "'" + without_controls(as_utf8(text)) + "'"; }

const CommandRow* find_command(std::string_view name) {
  const auto* row = std::find_if(kCommands.begin(), kCommands.end(),
                                 [&](const CommandRow& one) { return one.name == name; });
  return row == kCommands.end() ? nullptr : row;
}

const FlagRow* find_flag(std::string_view name) {
  const auto* row = std::find_if(kFlags.begin(), kFlags.end(), [&](const FlagRow& one) {
    return one.name == name || (!one.short_name.empty() && one.short_name == name);
  });
  return row == kFlags.end() ? nullptr : row;
}

std::string command_names() {
  std::string text;
  for (const auto& row : kCommands) {
    const bool last = row.verb == kCommands.back().verb;
    text += (text.empty() ? "" : last ? " or " : ", ") + std::string(row.name);
  }
  return text;
}

// "0-3,7" into ranks, which are ascending and each once.
std::optional<Error> add_ranks(const std::string& what, std::string_view text,
                               std::vector<int>& ranks) {
  constexpr std::int64_t kHighest = 1'000'000;
  constexpr std::size_t kMost = 4096;
  const Error wrong{what + " is " + quoted(text) + ": expected ranks such as 2, 0-3 or 0,2"};
  while (true) {
    const auto comma = text.find(',');
    const auto part = text.substr(0, comma);
    const auto dash = part.find('-');
    const auto first = parse_integer("", part.substr(0, dash), 0, kHighest);
    const auto last = dash == std::string_view::npos
                          ? first
                          : parse_integer("", part.substr(dash + 1), 0, kHighest);
    if (!first || !last || *last < *first ||
        ranks.size() + static_cast<std::size_t>(*last - *first) >= kMost)
      return wrong;
    for (auto rank = *first; rank <= *last; ++rank) ranks.push_back(static_cast<int>(rank));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return std::nullopt;
}

class Parser {
 public:
  Parser(int argc, const char* const* argv) : words_(argv + 1, argv + argc) {}

  Result<Arguments> run() {
    for (at_ = 0; at_ < words_.size(); ++at_) {
      const std::string_view word = words_[at_];
      const bool is_flag = word.size() > 1 && word[0] == '-' && !only_operands_;
      if (word == "--" && !only_operands_) {
        only_operands_ = true;
      } else if (auto wrong = is_flag ? flag(word) : operand(word)) {
        return *wrong;
      }
    }
    if (arguments_.help || arguments_.version) return arguments_;
    if (command_ == nullptr) return Error{"no command: expected " + command_names()};
    for (const auto* row : given_) {
      if ((row->commands & takes(command_->verb)) == 0)
        return Error{std::string(command_->name) + " takes no " + std::string(row->name)};
    }
    if (auto wrong = missing()) return *wrong;
    return arguments_;
  }

 private:
  std::optional<Error> flag(std::string_view word) {
    const auto equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
    const std::string_view name = word.substr(0, equals);
    const FlagRow* row = find_flag(name);
    if (row == nullptr) return Error{"unknown option " + quoted(name) + ": see ddpctl --help"};
    if (std::find(given_.begin(), given_.end(), row) != given_.end())
      return Error{std::string(row->name) + " is given twice"};
    given_.push_back(row);
    std::string_view value;
    if (row->argument.empty()) {
      if (equals != std::string_view::npos)
        return Error{std::string(row->name) + ": expected no value"};
    } else if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else if (at_ + 1 < words_.size()) {
      value = words_[++at_];
    }
    if (!row->argument.empty() && value.empty())
      return Error{std::string(row->name) + " needs a value"};
    return store(*row, value);
  }

  std::optional<Error> store(const FlagRow& row, std::string_view value) {
    switch (row.flag) {
      case Flag::run:
        arguments_.run = value;
        break;
      case Flag::dir:
        arguments_.dir = value;
        break;
      case Flag::json:
        arguments_.json = true;
        break;
      case Flag::rank:
        return add_ranks("--rank", value, arguments_.ranks);
      case Flag::lines: {
        const auto lines = parse_integer("--lines", value, 0, 1'000'000);
        if (!lines) return Error{lines.error()};
        arguments_.lines = static_cast<int>(*lines);
        break;
      }
      case Flag::follow:
        arguments_.follow = true;
        break;
      case Flag::output:
        arguments_.output = value;
        break;
      case Flag::help:
        arguments_.help = true;
        break;
      case Flag::version:
        arguments_.version = true;
        break;
    }
    return std::nullopt;
  }

  std::optional<Error> operand(std::string_view word) {
    if (command_ == nullptr) {
      command_ = find_command(word);
      if (command_ == nullptr)
        return Error{"command " + quoted(word) + ": expected " + command_names()};
      arguments_.verb = command_->verb;
      return std::nullopt;
    }
    switch (command_->operands) {
      case Operands::none:
        break;
      case Operands::signal_and_ranks:
        if (arguments_.signal != 0) return add_ranks("the rank", word, arguments_.ranks);
        arguments_.signal = parse_signal(word).value_or(0);
        if (arguments_.signal == 0)
          return Error{quoted(word) + ": expected a signal, such as USR1 or SIGTERM"};
        return std::nullopt;
      case Operands::ranks:
        return add_ranks("the rank", word, arguments_.ranks);
      case Operands::one_rank:
        if (!arguments_.ranks.empty()) break;
        if (auto wrong = add_ranks("the rank", word, arguments_.ranks)) return wrong;
        return arguments_.ranks.size() == 1
                   ? std::nullopt
                   : std::optional(Error{"the rank is " + quoted(word) + ": expected one rank"});
      case Operands::fault:
        if (!arguments_.fault.empty()) break;
        arguments_.fault = word;
        return std::nullopt;
      case Operands::path:
        if (!arguments_.path.empty() || word.empty()) break;
        arguments_.path = word;
        return std::nullopt;
    }
    return Error{std::string(command_->name) + " takes no " + quoted(word)};
  }

  std::optional<Error> missing() const {
    if (!arguments_.path.empty() && !arguments_.run.empty())
      return Error{std::string(command_->name) + " takes a path or --run, not both"};
    const bool complete =
        (command_->operands != Operands::one_rank || !arguments_.ranks.empty()) &&
        (command_->operands != Operands::signal_and_ranks || arguments_.signal != 0) &&
        (command_->operands != Operands::fault || !arguments_.fault.empty());
    if (complete) return std::nullopt;
    return Error{"expected ddpctl " + std::string(command_->name) + " " +
                 std::string(command_->shown)};
  }

  std::vector<std::string_view> words_;
  std::size_t at_ = 0;
  bool only_operands_ = false;
  const CommandRow* command_ = nullptr;
  std::vector<const FlagRow*> given_;
  Arguments arguments_;
};

}  // namespace

Result<Arguments> parse_arguments(int argc, const char* const* argv) {
  return Parser(argc, argv).run();
}

std::string help_text() {
  std::string text =
      "Shows running launches of ddp-launch on this machine, and acts on them.\n\n"
      "Usage: ddpctl COMMAND [options]\n\nCommands:\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : kCommands) {
    const std::string operands(row.shown);
    rows.push_back({"  " + std::string(row.name) + (operands.empty() ? "" : " " + operands),
                    std::string(row.help)});
  }
  const auto commands = rows.size();
  for (const auto& row : kFlags) {
    std::string names = row.short_name.empty() ? "" : std::string(row.short_name) + ", ";
    names += row.name;
    if (!row.argument.empty()) names += " " + std::string(row.argument);
    rows.push_back({"  " + names, std::string(row.help)});
  }
  const auto lines = aligned_rows(rows);
  for (std::size_t i = 0; i < lines.size(); ++i)
    text += (i == commands ? "\nOptions:\n" : "") + lines[i] + "\n";
  return text +
         "\nExit codes: 0 done; 1 no run, or the request was refused; 2 a usage error, or several "
         "runs and no --run.\n";
}

}  // namespace ddp::ctl

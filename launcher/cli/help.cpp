// The flag table as text: --help and the reference page.
#include "launcher/cli/flags.hpp"
#include "launcher/core/exit_code.hpp"

namespace ddp {
namespace {

constexpr std::size_t kWidth = 96;
constexpr std::size_t kIndent = 30;

constexpr std::string_view kHead =
    "Starts one worker per device on this machine, gives each its rank, and supervises them all. "
    "On\n"
    "the first failure it stops the group, reports the root cause, and restarts the group while\n"
    "restarts are left.\n\n"
    "Usage: ddp-launch [options] [--] PROGRAM [arguments]\n";

constexpr std::string_view kExamples =
    "\nExamples:\n"
    "  ddp-launch --nproc 4 -- ./worker --steps 100\n"
    "  ddp-launch --nproc gpu --max-restarts '3 in 10m' --log-dir logs -t 3 -- python train.py\n"
    "  ddp-launch --nproc 2 --devices 2,5 --virtual-local-rank -- ./worker\n"
    "  ddp-launch --nproc 2 --nnodes 2 --node-rank 1 --master-addr host0 --master-port 29500 -- "
    "./worker\n"
    "  ddp-launch --nproc 4 --max-restarts 3 --inject kill@step=50,rank=2 -- python train.py\n"
    "  ddp-launch --config run.toml --dry-run\n";

// `text` wrapped behind `column` spaces; the first line continues one that is `used` long.
void append_wrapped(std::string& out, std::string_view text, std::size_t used, std::size_t column) {
  if (used + 2 > column) {
    out += '\n';
    used = 0;
  }
  out.append(column - used, ' ');
  std::size_t at = column;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (at > column && at + 1 + word.size() > kWidth) {
      out += '\n';
      out.append(column, ' ');
      at = column;
    } else if (at > column) {
      out += ' ';
      ++at;
    }
    out += word;
    at += word.size();
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
  }
  out += '\n';
}

// "-r, --redirects MAP": the short name first, as everywhere.
std::string left_column(const FlagSpec& spec) {
  std::string names;
  for_each_name(spec, [&](std::string_view name) {
    const std::string text(name);
    if (name.starts_with("--")) {
      names += (names.empty() ? "" : ", ") + text;
    } else {
      names = text + ", " + names;
    }
  });
  if (!spec.argument.empty()) names += " " + std::string(spec.argument);
  return "  " + names;
}

std::string with_default(const FlagSpec& spec) {
  std::string help(spec.help);
  if (!spec.argument.empty() && !spec.fallback.empty())
    help += " [" + std::string(spec.fallback) + "]";
  return help;
}

}  // namespace

std::string help_text() {
  std::string text(kHead);
  std::string_view section;
  for (const FlagSpec& spec : flag_table()) {
    if (spec.section != section) {
      section = spec.section;
      text += "\n" + std::string(section) + ":\n";
    }
    const std::string left = left_column(spec);
    text += left;
    append_wrapped(text, with_default(spec), left.size(), kIndent);
  }
  text +=
      "\nA TIME is a number of seconds, or 250ms, 30s, 10m, 2h. The program's own options follow "
      "its name.\n";
  text += kExamples;
  text += "\nExit codes:\n";
  for (const auto& row : core::exit_code_table()) {
    const std::string left = "  " + std::string(row.code);
    text += left;
    append_wrapped(text, row.meaning, left.size(), 10);
  }
  return text;
}

std::string flags_markdown() {
  std::string text;
  std::string_view section;
  for (const FlagSpec& spec : flag_table()) {
    if (spec.section != section) {
      section = spec.section;
      text += (text.empty() ? "## " : "\n## ") + std::string(section) +
              "\n\n| Flag | Value | Default | What it does, what is allowed |\n|---|---|---|---|\n";
    }
    text += "| ";
    bool first = true;
    for_each_name(spec, [&](std::string_view name) {
      text += (first ? "`" : ", `") + std::string(name) + "`";
      first = false;
    });
    // A '|' would end the column.
    std::string argument;
    for (const char c : spec.argument)
      argument += c == '|' ? std::string(" \\| ") : std::string(1, c);
    text += " | " + argument + " | " + std::string(spec.fallback) + " | " + std::string(spec.help) +
            " |\n";
  }
  return text;
}

}  // namespace ddp

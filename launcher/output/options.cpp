#include "launcher/output/options.hpp"

#include "launcher/output/rank_map.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace ddp {
namespace {

constexpr std::string_view kOutput = "Output";

constexpr FlagSpec kFlags[] = {
    {"--output", "prefix|raw|none", ValueKind::text, "prefix", kOutput,
     "workers' lines on the console: after '[rank] ', unchanged, or not at all"},
    {"--prefix", "TEMPLATE", ValueKind::text, "'[{rank}] '", kOutput,
     "what each line begins with, in log files too: text with {rank}, {local_rank}, {world_size}, "
     "{role}, {time}, {attempt}, {stream} and {run_id}; {{ and }} are braces"},
    {"--timestamps", "iso|elapsed", ValueKind::text, "none", kOutput,
     "put the time at which each line was read in front of it, on the console and in log files: in "
     "UTC, or in seconds since the launch began"},
    {"--local-ranks-filter", "LIST", ValueKind::list, "all", kOutput,
     "show only these local ranks on the console (0,2 or 0-3)"},
    {"--log-dir", "DIR", ValueKind::text, "none", kOutput,
     "keep this run's files in DIR/<run id>, or in DIR/<run id>.2 and so on if that exists"},
    {"--redirects,-r", "MAP", ValueKind::list, "0", kOutput,
     "write to files in the log directory instead of the console: 0 nothing, 1 stdout, 2 stderr, 3 "
     "both; for all, or by local rank (0:3,1:2); without --log-dir in a new directory under TMPDIR "
     "or /tmp, which is kept and named"},
    {"--tee,-t", "MAP", ValueKind::list, "0", kOutput,
     "write to files and the console; same values"},
    {"--no-status", "", ValueKind::toggle, "off", kOutput,
     "no status line at the bottom of a terminal"},
    {"--pty", "", ValueKind::toggle, "off", kOutput,
     "give each rank its own terminal for stdout and stderr: C programs write line by line, and "
     "progress bars and colours appear"},
};

Failure console(const SettingsReader& reader, int nproc, OutputOptions& options) {
  using out::Style;
  if (auto failure = reader.choice<Style>(
          "--output", {{"prefix", Style::prefix}, {"raw", Style::raw}, {"none", Style::none}},
          options.style))
    return failure;
  options.shown.assign(static_cast<std::size_t>(nproc), true);
  if (const Setting* const filter = reader.given("--local-ranks-filter")) {
    auto shown = parse_rank_list(*filter, nproc);
    if (!shown) return Error{shown.error()};
    options.shown = std::move(*shown);
  }
  return std::nullopt;
}

Failure line_start(const SettingsReader& reader, OutputOptions& options) {
  std::optional<out::PrefixTemplate> prefix;
  const bool raw = options.style == out::Style::raw;
  if (const Setting* const setting = reader.given("--prefix")) {
    auto parsed = out::PrefixTemplate::parse(setting->text);
    if (!parsed) return refusal(*setting, parsed.error());
    if (raw) return refusal(*setting, "no --output raw, which shows lines without a prefix");
    prefix = std::move(*parsed);
  }
  out::TimeFormat format = out::TimeFormat::iso;
  if (auto failure = reader.choice<out::TimeFormat>(
          "--timestamps", {{"iso", out::TimeFormat::iso}, {"elapsed", out::TimeFormat::elapsed}},
          format))
    return failure;
  const bool timestamps = reader.given("--timestamps") != nullptr;
  options.line_start =
      out::line_start(raw, std::move(prefix), timestamps ? std::optional(format) : std::nullopt);
  return std::nullopt;
}

Failure stream_map(const SettingsReader& reader, std::string_view flag, int nproc,
                   std::vector<out::StreamSet>& into) {
  into.assign(static_cast<std::size_t>(nproc), {});
  const Setting* const setting = reader.given(flag);
  if (setting == nullptr) return std::nullopt;
  auto map = parse_stream_map(*setting, nproc);
  if (!map) return Error{map.error()};
  into = std::move(*map);
  return std::nullopt;
}

Failure files(const SettingsReader& reader, int nproc, OutputOptions& options) {
  if (const Setting* const dir = reader.given("--log-dir")) {
    if (dir->text.empty()) return refusal(*dir, "a directory");
    options.log_dir = dir->text;
  }
  if (auto failure = stream_map(reader, "--redirects", nproc, options.redirect)) return failure;
  if (auto failure = stream_map(reader, "--tee", nproc, options.tee)) return failure;
  for (const auto* const map : {&options.redirect, &options.tee}) {
    for (const out::StreamSet& set : *map)
      options.needs_log_dir |= options.log_dir.empty() && (set.out || set.err);
  }
  options.status = !reader.toggle("--no-status");
  options.pty = reader.toggle("--pty");
  for (std::size_t i = 0; i < options.tee.size(); ++i) {  // tee wins, as with torchrun
    options.redirect[i].out = options.redirect[i].out && !options.tee[i].out;
    options.redirect[i].err = options.redirect[i].err && !options.tee[i].err;
  }
  return std::nullopt;
}

}  // namespace

std::span<const FlagSpec> output_flags() { return kFlags; }

Failure read_output(const SettingsReader& reader, int nproc, OutputOptions& options) {
  if (auto failure = console(reader, nproc, options)) return failure;
  if (auto failure = line_start(reader, options)) return failure;
  return files(reader, nproc, options);
}

}  // namespace ddp

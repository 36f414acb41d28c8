#include "launcher/cli/options_check.hpp"

#include "launcher/cli/rank_map.hpp"
#include "launcher/rendezvous/master_addr.hpp"
#include "launcher/rendezvous/run_id.hpp"
#include "launcher/settings/reader.hpp"

#include <algorithm>

namespace ddp {
namespace {

constexpr std::int64_t kMostNodes = 65536;

class Checker : SettingsReader {
 public:
  Checker(const Settings& settings, std::vector<std::string> command) : SettingsReader(settings) {
    options_.workers.command = std::move(command);
  }

  Result<Options> run(const Machine& machine) {
    if (auto failure = program()) return *failure;
    if (auto failure = check_workers(settings(), machine, options_)) return *failure;
    for (const auto step :
         {&Checker::nodes, &Checker::stdin_rank, &Checker::run_id, &Checker::output,
          &Checker::line_start, &Checker::files, &Checker::log_level}) {
      if (auto failure = (this->*step)()) return *failure;
    }
    if (auto failure = check_restarts(settings(), options_)) return *failure;
    if (auto failure = check_shutdown(settings(), options_)) return *failure;
    if (auto failure = check_faults(settings(), options_)) return *failure;
    if (auto failure = check_hangs(settings(), options_)) return *failure;
    options_.group.nproc = options_.ranks.nproc;
    options_.group.evidence_timeout = options_.hangs.evidence_timeout;
    options_.dry_run = toggle(Flag::dry_run);
    return std::move(options_);
  }

 private:
  Failure program() {
    if (options_.workers.command.empty())
      return Error{
          "no program is given: expected ddp-launch [options] -- PROGRAM [arguments]; see "
          "ddp-launch --help"};
    if (options_.workers.command[0].empty())
      return Error{"the program is '': expected the name or path of an executable"};
    return std::nullopt;
  }

  Failure nodes() {
    if (auto failure = integer(Flag::nnodes, 1, kMostNodes, options_.ranks.nnodes)) return failure;
    if (const Setting* const node = given(Flag::node_rank)) {
      const auto rank = parse_integer(node->what, node->text, 0, kMostNodes - 1);
      if (!rank) return Error{rank.error()};
      if (*rank >= options_.ranks.nnodes)
        return refusal(*node, (options_.ranks.nnodes == 1
                                   ? std::string("0")
                                   : "0 to " + std::to_string(options_.ranks.nnodes - 1)) +
                                  ", because --nnodes is " + std::to_string(options_.ranks.nnodes));
      options_.ranks.node_rank = static_cast<int>(*rank);
    }
    const Setting* const addr = given(Flag::master_addr);
    const Setting* const port = given(Flag::master_port);
    if (options_.ranks.nnodes > 1 && (addr == nullptr || port == nullptr)) {
      const std::string missing = addr == nullptr && port == nullptr
                                      ? "--master-addr and --master-port"
                                  : addr == nullptr ? "--master-addr"
                                                    : "--master-port";
      return refusal(*given(Flag::nnodes), missing + " beside it, to say where rank 0 listens");
    }
    if (addr != nullptr) {
      const auto address = read_master_address(addr->text);
      if (!address) return refusal(*addr, address.error());
      options_.rendezvous.master_addr = address->text;
    }
    if (port != nullptr) {
      int number = 0;
      if (auto failure = integer(Flag::master_port, 1, 65535, number)) return failure;
      options_.rendezvous.master_port = static_cast<std::uint16_t>(number);
    }
    return std::nullopt;
  }

  Failure stdin_rank() {
    const Setting* const setting = given(Flag::stdin_rank);
    if (setting == nullptr) return std::nullopt;
    const auto rank =
        parse_integer(setting->what, setting->text, 0, options_.ranks.world_size() - 1);
    if (!rank)
      return refusal(*setting,
                     options_.ranks.world_size() == 1
                         ? std::string("rank 0, the only one")
                         : "a rank from 0 to " + std::to_string(options_.ranks.world_size() - 1));
    options_.workers.stdin_rank = options_.ranks.local({static_cast<int>(*rank)});
    return std::nullopt;
  }

  Failure run_id() {
    const Setting* const setting = given(Flag::run_id);
    if (setting != nullptr && !is_run_id(setting->text)) return refusal(*setting, kRunIdRule);
    options_.rendezvous.run_id = setting != nullptr ? setting->text : generate_run_id();
    return std::nullopt;
  }

  Failure output() {
    using out::Style;
    if (auto failure = choice<Style>(
            Flag::output, {{"prefix", Style::prefix}, {"raw", Style::raw}, {"none", Style::none}},
            options_.output.style))
      return failure;
    options_.output.shown.assign(static_cast<std::size_t>(options_.ranks.nproc), true);
    if (const Setting* const filter = given(Flag::local_ranks_filter)) {
      auto shown = parse_rank_list(*filter, options_.ranks.nproc);
      if (!shown) return Error{shown.error()};
      options_.output.shown = std::move(*shown);
    }
    return std::nullopt;
  }

  Failure line_start() {
    std::optional<out::PrefixTemplate> prefix;
    const bool raw = options_.output.style == out::Style::raw;
    if (const Setting* const setting = given(Flag::prefix)) {
      auto parsed = out::PrefixTemplate::parse(setting->text);
      if (!parsed) return refusal(*setting, parsed.error());
      if (raw) return refusal(*setting, "no --output raw, which shows lines without a prefix");
      prefix = std::move(*parsed);
    }
    out::TimeFormat format = out::TimeFormat::iso;
    if (auto failure = choice<out::TimeFormat>(
            Flag::timestamps,
            {{"iso", out::TimeFormat::iso}, {"elapsed", out::TimeFormat::elapsed}}, format))
      return failure;
    const bool timestamps = given(Flag::timestamps) != nullptr;
    options_.output.line_start =
        out::line_start(raw, std::move(prefix), timestamps ? std::optional(format) : std::nullopt);
    return std::nullopt;
  }

  Failure stream_map(Flag flag, std::vector<out::StreamSet>& into) const {
    into.assign(static_cast<std::size_t>(options_.ranks.nproc), {});
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    auto map = parse_stream_map(*setting, options_.ranks.nproc);
    if (!map) return Error{map.error()};
    const bool used = std::any_of(map->begin(), map->end(),
                                  [](const out::StreamSet& set) { return set.out || set.err; });
    if (used && options_.output.log_dir.empty())
      return refusal(*setting, "--log-dir beside it, to say where the files go");
    into = std::move(*map);
    return std::nullopt;
  }

  Failure files() {
    if (const Setting* const dir = given(Flag::log_dir)) {
      if (dir->text.empty()) return refusal(*dir, "a directory");
      options_.output.log_dir = dir->text;
    }
    if (auto failure = stream_map(Flag::redirects, options_.output.redirect)) return failure;
    if (auto failure = stream_map(Flag::tee, options_.output.tee)) return failure;
    options_.output.pty = toggle(Flag::pty);
    for (std::size_t i = 0; i < options_.output.tee.size(); ++i) {  // tee wins, as with torchrun
      options_.output.redirect[i].out =
          options_.output.redirect[i].out && !options_.output.tee[i].out;
      options_.output.redirect[i].err =
          options_.output.redirect[i].err && !options_.output.tee[i].err;
    }
    return std::nullopt;
  }

  Failure log_level() {
    const Setting* const setting = given(Flag::log_level);
    if (setting == nullptr) return std::nullopt;
    const auto level = log::parse_level(setting->what, setting->text);
    if (!level) return Error{level.error()};
    options_.log_level = *level;
    return std::nullopt;
  }

  Options options_;
};

}  // namespace

Result<Options> check_options(const Settings& settings, std::vector<std::string> command,
                              const Machine& machine) {
  return Checker(settings, std::move(command)).run(machine);
}

}  // namespace ddp

#include "launcher/torchrun/options.hpp"

#include "launcher/settings/comma_list.hpp"

#include <algorithm>
#include <csignal>

namespace ddp {
namespace {

constexpr std::string_view kTorchrun = "Accepted from torchrun";

constexpr FlagSpec kFlags[] = {
    {"--monitor-interval", "SECONDS", ValueKind::real, "none", kTorchrun,
     "no effect: exits are reported by the kernel, not polled for"},
    {"--start-method", "spawn|fork|forkserver", ValueKind::text, "none", kTorchrun,
     "no effect: workers are programs, not Python functions"},
    {"--event-log-handler", "NAME", ValueKind::text, "none", kTorchrun,
     "no effect: events are written to events.jsonl under --log-dir"},
    {"--logs-specs", "NAME", ValueKind::text, "default", kTorchrun,
     "only default; others are Python plug-ins"},
    {"--rdzv-conf", "KEY=VALUE,…", ValueKind::text, "none", kTorchrun,
     "no effect: there is no rendezvous to configure"},
    {"--local-addr", "HOST", ValueKind::text, "none", kTorchrun,
     "no effect: rank 0 listens at --master-addr"},
    {"--signals-to-handle", "LIST", ValueKind::text, "SIGTERM,SIGINT,SIGHUP,SIGQUIT", kTorchrun,
     "no effect: ddp-launch always handles these four"},
    {"--duplicate-stdout-filters", "LIST", ValueKind::text, "none", kTorchrun,
     "refused: use --tee 1 and grep the files"},
    {"--duplicate-stderr-filters", "LIST", ValueKind::text, "none", kTorchrun,
     "refused: use --tee 2 and grep the files"},
    {"--log-line-prefix-template", "TEMPLATE", ValueKind::text, "none", kTorchrun,
     "refused: use --prefix"},
};

class TorchrunReader : SettingsReader {
 public:
  TorchrunReader(const SettingsReader& reader, std::vector<std::string>& notes)
      : SettingsReader(reader), notes_(notes) {}

  Failure run() {
    for (const auto step :
         {&TorchrunReader::interval, &TorchrunReader::start_method, &TorchrunReader::without_effect,
          &TorchrunReader::logs_specs, &TorchrunReader::rdzv_conf, &TorchrunReader::signals,
          &TorchrunReader::filters}) {
      if (auto failure = (this->*step)()) return failure;
    }
    return std::nullopt;
  }

 private:
  void note(const Setting& setting, const std::string& why) {
    notes_.push_back(setting.what + " has no effect: " + why);
  }

  Failure interval() {
    const Setting* const setting = given("--monitor-interval");
    if (setting == nullptr) return std::nullopt;
    if (const auto time = parse_duration(setting->what, setting->text); !time)
      return Error{time.error()};
    note(*setting, "exits are reported by the kernel, not polled for");
    return std::nullopt;
  }

  Failure start_method() {
    if (given("--start-method") == nullptr) return std::nullopt;
    int ignored = 0;
    if (auto failure =
            choice<int>("--start-method", {{"spawn", 0}, {"fork", 0}, {"forkserver", 0}}, ignored))
      return failure;
    note(*given("--start-method"), "workers are programs, not Python functions");
    return std::nullopt;
  }

  Failure without_effect() {
    if (const Setting* const setting = given("--event-log-handler"))
      note(*setting, "events are written to events.jsonl under --log-dir");
    if (const Setting* const setting = given("--local-addr"))
      note(*setting, "rank 0 listens at --master-addr");
    return std::nullopt;
  }

  Failure logs_specs() {
    const Setting* const setting = given("--logs-specs");
    if (setting == nullptr || setting->text == "default") return std::nullopt;
    return refusal(*setting,
                   "default; others are Python plug-ins: use --log-dir, --redirects and --tee");
  }

  Failure rdzv_conf() {
    const Setting* const setting = given("--rdzv-conf");
    if (setting == nullptr) return std::nullopt;
    for (const std::string_view pair : split_at_commas(setting->text)) {
      if (!setting->text.empty() && pair.find('=', 1) == std::string_view::npos)
        return refusal(*setting, "KEY=VALUE pairs, such as join_timeout=600,last_call_timeout=30");
    }
    note(*setting, "there is no rendezvous to configure");
    return std::nullopt;
  }

  Failure signals() {
    const Setting* const setting = given("--signals-to-handle");
    if (setting == nullptr) return std::nullopt;
    constexpr int kHandled[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (const std::string_view name : split_at_commas(setting->text)) {
      const auto number = parse_signal(name);
      if (!number ||
          std::find(std::begin(kHandled), std::end(kHandled), *number) == std::end(kHandled))
        return refusal(*setting,
                       "some of SIGTERM, SIGINT, SIGHUP, SIGQUIT; SIGUSR1 and SIGUSR2 go to the "
                       "ranks");
    }
    note(*setting, "ddp-launch always handles SIGTERM, SIGINT, SIGHUP and SIGQUIT");
    return std::nullopt;
  }

  Failure filters() {
    for (const auto& [flag, instead] : {std::pair{"--duplicate-stdout-filters", "--tee 1"},
                                        std::pair{"--duplicate-stderr-filters", "--tee 2"}}) {
      if (const Setting* const setting = given(flag); setting != nullptr && !setting->text.empty())
        return refusal(*setting,
                       std::string("no filter; use ") + instead + " and grep the files it writes");
    }
    if (const Setting* const setting = given("--log-line-prefix-template"))
      return refusal(*setting, "no such template; use --prefix, such as '[{role}{rank}]: '");
    return std::nullopt;
  }

  std::vector<std::string>& notes_;
};

}  // namespace

std::span<const FlagSpec> torchrun_flags() { return kFlags; }

Failure read_torchrun(const SettingsReader& reader, std::vector<std::string>& notes) {
  return TorchrunReader(reader, notes).run();
}

}  // namespace ddp

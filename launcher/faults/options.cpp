#include "launcher/faults/options.hpp"

#include "launcher/faults/stream_count.hpp"
#include "launcher/plan/plan_file.hpp"
#include "launcher/plan/replay.hpp"

#include <algorithm>
#include <limits>

namespace ddp {
namespace {

constexpr std::string_view kFaults = "Faults";

constexpr FlagSpec kFlags[] = {
    {"--inject", "SPEC", ValueKind::several, "none", kFaults,
     "inject this fault, such as kill@step=50,rank=2 or stop@rank=any,ready=10s; may be given "
     "several times (docs/faults.md)"},
    {"--faults", "FILE", ValueKind::text, "none", kFaults,
     "a TOML plan: faults, and expectations of the run, which then decide the exit code"},
    {"--fault-seed", "N", ValueKind::number, "the plan's, or 0", kFaults,
     "seed for random ranks and steps: the same seed gives the same faults"},
    {"--replay", "FILE", ValueKind::text, "none", kFaults,
     "replay the faults recorded in the events.jsonl of an earlier run"},
};

// Which faults are injected into the run, and what is expected of it.
class FaultsReader : SettingsReader {
 public:
  FaultsReader(const SettingsReader& reader, const FaultedLaunch& launch, core::FaultPlan& plan)
      : SettingsReader(reader), launch_(launch), plan_(plan) {}

  Failure run() {
    for (const auto step : {&FaultsReader::plan, &FaultsReader::replay, &FaultsReader::injected,
                            &FaultsReader::seed}) {
      if (auto failure = (this->*step)()) return failure;
    }
    return std::nullopt;
  }

 private:
  Failure plan() {
    const Setting* const setting = given("--faults");
    if (setting == nullptr) return std::nullopt;
    auto plan = read_fault_plan(setting->text, launch_.ranks.world_size());
    if (!plan) return Error{setting->what + ": " + plan.error()};
    plan_ = std::move(*plan);
    const std::string where = setting->what + " " + setting->text;
    if (auto failure = comes_about(where)) return failure;
    return possible(where);
  }

  Failure replay() {
    const Setting* const setting = given("--replay");
    if (setting == nullptr) return std::nullopt;
    for (const char* const other : {"--inject", "--faults", "--fault-seed"}) {
      if (given(other) != nullptr)
        return refusal(*setting, "no " + std::string(other) + ": a replay is complete");
    }
    auto plan = read_replay(setting->text, launch_.ranks.world_size());
    if (!plan) return Error{setting->what + ": " + plan.error()};
    plan_ = std::move(*plan);
    return possible(setting->what + " " + setting->text);
  }

  Failure injected() {
    for (const Setting& setting : all("--inject")) {
      auto spec = fault::parse(setting.text, launch_.ranks.world_size());
      if (!spec) return Error{setting.what + " is '" + setting.text + "': " + spec.error()};
      plan_.faults.push_back(std::move(*spec));
      const std::string where = setting.what + " is '" + setting.text + "'";
      if (auto failure = comes_about(where)) return failure;
      if (auto failure = possible(where)) return failure;
    }
    return std::nullopt;
  }

  // A fault that waits for an attempt beyond the last would be a test that tests nothing. A
  // replay may: what it repeats is one run of many.
  Failure comes_about(const std::string& where) const {
    const auto& restart = launch_.restart;
    if (restart.window) return std::nullopt;  // restarts without end
    const auto& expect = plan_.expect;
    if (expect && expect->restarts.value_or(0) > restart.max_restarts) {
      return Error{where + ": restarts = " + std::to_string(*expect->restarts) +
                   " can never happen: --max-restarts is " + std::to_string(restart.max_restarts)};
    }
    if (expect && std::ssize(expect->root_causes) > restart.max_restarts + 1) {
      return Error{where + ": root_cause of " + std::to_string(expect->root_causes.size()) +
                   " failures can never happen: --max-restarts is " +
                   std::to_string(restart.max_restarts)};
    }
    for (const fault::Spec& spec : plan_.faults) {
      if (spec.generations.empty() || spec.generations.front().first <= restart.max_restarts)
        continue;
      const auto most = std::to_string(restart.max_restarts);
      return Error{where + ": " + fault::format(spec) + " can never trigger: expected gen=" +
                   (restart.max_restarts > 0 ? "0-" + most : "0") + ", because --max-restarts is " +
                   most};
    }
    return std::nullopt;
  }

  // What the grammar allows and this launch cannot do.
  Failure possible(const std::string& where) const {
    const auto& faults = plan_.faults;
    const bool hides = std::any_of(faults.begin(), faults.end(), [](const fault::Spec& spec) {
      return spec.kind == fault::Kind::hide_device;
    });
    if (hides && visible_devices_variable(launch_.device_type) == nullptr)
      return Error{where + ": hide-device: expected a --device-type with devices, not cpu"};
    if (!launch_.ranks.is_whole_world())
      return std::nullopt;  // another machine's ranks may be read there
    for (const fault::Spec& spec : faults) {
      const auto streams = streams_of(spec, launch_.ranks, launch_.output);
      if (spec.line && streams.read == 0)
        return Error{where + ": " + fault::format(spec) +
                     " can never trigger: --redirects sends the output of its ranks directly to "
                     "files; expected --tee"};
    }
    return std::nullopt;
  }

  Failure seed() {
    const Setting* const setting = given("--fault-seed");
    if (setting == nullptr) return std::nullopt;
    const auto seed =
        parse_integer(setting->what, setting->text, 0, std::numeric_limits<std::int64_t>::max());
    if (!seed) return Error{seed.error()};
    plan_.seed = static_cast<std::uint64_t>(*seed);
    return std::nullopt;
  }

  const FaultedLaunch& launch_;
  core::FaultPlan& plan_;
};

}  // namespace

std::span<const FlagSpec> fault_flags() { return kFlags; }

Failure read_faults(const SettingsReader& reader, const FaultedLaunch& launch,
                    FaultOptions& options) {
  return FaultsReader(reader, launch, options.plan).run();
}

}  // namespace ddp

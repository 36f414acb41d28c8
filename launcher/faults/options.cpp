// Which faults strike the run, and what is expected of it.
#include "launcher/cli/options_check.hpp"
#include "launcher/faults/stream_count.hpp"
#include "launcher/plan/plan_file.hpp"
#include "launcher/plan/replay.hpp"
#include "launcher/settings/reader.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

namespace ddp {
namespace {

class FaultsChecker : SettingsReader {
 public:
  FaultsChecker(const Settings& settings, Options& options)
      : SettingsReader(settings), options_(options) {}

  Failure run() {
    for (const auto step : {&FaultsChecker::plan, &FaultsChecker::replay, &FaultsChecker::injected,
                            &FaultsChecker::seed, &FaultsChecker::junit}) {
      if (auto failure = (this->*step)()) return failure;
    }
    return std::nullopt;
  }

 private:
  Failure plan() {
    const Setting* const setting = given(Flag::faults);
    if (setting == nullptr) return std::nullopt;
    auto plan = read_fault_plan(setting->text, options_.ranks.world_size());
    if (!plan) return Error{setting->what + ": " + plan.error()};
    options_.faults.plan = std::move(*plan);
    const std::string where = setting->what + " " + setting->text;
    if (auto failure = comes_about(where)) return failure;
    return possible(where);
  }

  Failure replay() {
    const Setting* const setting = given(Flag::replay);
    if (setting == nullptr) return std::nullopt;
    for (const Flag other : {Flag::inject, Flag::faults, Flag::fault_seed}) {
      if (given(other) != nullptr)
        return refusal(*setting, "no " + std::string(first_name(spec_of(other))) +
                                     " beside it: what is replayed is complete");
    }
    auto plan = read_replay(setting->text, options_.ranks.world_size());
    if (!plan) return Error{setting->what + ": " + plan.error()};
    options_.faults.plan = std::move(*plan);
    return possible(setting->what + " " + setting->text);
  }

  Failure injected() {
    for (const Setting& setting : settings().all(Flag::inject)) {
      auto spec = fault::parse(setting.text, options_.ranks.world_size());
      if (!spec) return Error{setting.what + " is '" + setting.text + "': " + spec.error()};
      options_.faults.plan.faults.push_back(std::move(*spec));
      const std::string where = setting.what + " is '" + setting.text + "'";
      if (auto failure = comes_about(where)) return failure;
      if (auto failure = possible(where)) return failure;
    }
    return std::nullopt;
  }

  // A fault that waits for a generation beyond the last would be a test that tests nothing. A
  // replay may: what it repeats is one run of many.
  Failure comes_about(const std::string& where) const {
    const auto& restart = options_.group.restart;
    if (restart.window) return std::nullopt;  // restarts without end
    const auto& expect = options_.faults.plan.expect;
    if (expect && expect->restarts.value_or(0) > restart.max_restarts) {
      return Error{where + ": restarts = " + std::to_string(*expect->restarts) +
                   " comes never: --max-restarts is " + std::to_string(restart.max_restarts)};
    }
    if (expect && std::ssize(expect->root_causes) > restart.max_restarts + 1) {
      return Error{where + ": root_cause of " + std::to_string(expect->root_causes.size()) +
                   " failures comes never: --max-restarts is " +
                   std::to_string(restart.max_restarts)};
    }
    for (const fault::Spec& spec : options_.faults.plan.faults) {
      if (spec.generations.empty() || spec.generations.front().first <= restart.max_restarts)
        continue;
      const auto most = std::to_string(restart.max_restarts);
      return Error{where + ": " + fault::format(spec) +
                   " comes never: expected gen=" + (restart.max_restarts > 0 ? "0-" + most : "0") +
                   ", because --max-restarts is " + most};
    }
    return std::nullopt;
  }

  // What the grammar allows and this launch cannot do.
  Failure possible(const std::string& where) const {
    const auto& faults = options_.faults.plan.faults;
    const bool hides = std::any_of(faults.begin(), faults.end(), [](const fault::Spec& spec) {
      return spec.kind == fault::Kind::hide_device;
    });
    if (hides && visible_devices_variable(options_.workers.device_type) == nullptr)
      return Error{where + ": hide-device: expected a --device-type with devices, not cpu"};
    if (options_.ranks.nnodes > 1) return std::nullopt;  // another machine's ranks may be heard
    for (const fault::Spec& spec : faults) {
      const auto streams = streams_of(spec, options_.ranks, options_.output);
      if (spec.line && streams.read == 0)
        return Error{where + ": " + fault::format(spec) +
                     " comes never: --redirects sends what its ranks write to files directly; "
                     "expected --tee"};
    }
    return std::nullopt;
  }

  Failure seed() {
    const Setting* const setting = given(Flag::fault_seed);
    if (setting == nullptr) return std::nullopt;
    const auto seed =
        parse_integer(setting->what, setting->text, 0, std::numeric_limits<std::int64_t>::max());
    if (!seed) return Error{seed.error()};
    options_.faults.plan.seed = static_cast<std::uint64_t>(*seed);
    return std::nullopt;
  }

  Failure junit() {
    const Setting* const setting = given(Flag::junit);
    if (setting == nullptr) return std::nullopt;
    options_.report.junit = setting->text;
    return check_junit(*setting);
  }

  Options& options_;
};

}  // namespace

Failure check_junit(const Setting& setting) {
  const std::filesystem::path path(setting.text);
  const auto directory = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code failed;
  if (!path.has_filename() || std::filesystem::is_directory(path, failed) ||
      !std::filesystem::is_directory(directory, failed))
    return refusal(setting, "a file in a directory that is there");
  return std::nullopt;
}

Failure check_faults(const Settings& settings, Options& options) {
  return FaultsChecker(settings, options).run();
}

}  // namespace ddp

// How a group ends: who is asked to stop, with which signal, and how long that may take.
#include "launcher/cli/options_check.hpp"
#include "launcher/settings/reader.hpp"

#include <string_view>

namespace ddp {
namespace {

// "ok", "fail" or "fail after 30s".
Failure early_exit(const SettingsReader& reader, core::GroupConfig& group) {
  const Setting* const setting = reader.given(Flag::early_exit);
  if (setting == nullptr || setting->text == "ok") return std::nullopt;
  constexpr std::string_view kAfter = "fail after ";
  const std::string_view text = setting->text;
  if (text == "fail") {
    group.early_exit_allowed = core::Nanoseconds::zero();
    return std::nullopt;
  }
  if (text.starts_with(kAfter)) {
    if (const auto time = parse_duration("", text.substr(kAfter.size()))) {
      group.early_exit_allowed = *time;
      return std::nullopt;
    }
  }
  return refusal(*setting, "ok, fail, or a time such as 'fail after 30s'");
}

}  // namespace

Failure check_shutdown(const Settings& settings, Options& options) {
  const SettingsReader reader(settings);
  core::GroupConfig& group = options.group;
  if (auto failure = reader.duration(Flag::shutdown_timeout, group.shutdown_timeout))
    return failure;
  if (auto failure = reader.duration(Flag::linger_timeout, group.linger_timeout)) return failure;
  if (auto failure = reader.signal(Flag::stop_signal, group.stop_signal)) return failure;
  if (auto failure = reader.choice<StopScope>(
          Flag::stop_signal_to, {{"rank", StopScope::rank}, {"group", StopScope::group}},
          options.workers.stop_scope))
    return failure;
  using Clean = core::CleanSharedMemory;
  if (auto failure = reader.choice<Clean>(
          Flag::clean_shm,
          {{"none", Clean::none}, {"generated", Clean::generated}, {"all", Clean::all}},
          options.workers.clean_shm))
    return failure;
  if (reader.given(Flag::graceful_exit_code) != nullptr) {
    int code = 0;
    if (auto failure = reader.integer(Flag::graceful_exit_code, 0, 255, code)) return failure;
    group.graceful_exit_code = code;
  }
  return early_exit(reader, group);
}

}  // namespace ddp

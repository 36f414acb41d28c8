// Room: launcher/settings. Flags as rows of a table and values as given, and the reader with which
// each room reads its own.
// Includes: common. Included by: launcher/campaign, launcher/cli, launcher/diagnosis,
// launcher/faults, launcher/hangs, launcher/metrics, launcher/output, launcher/placement,
// launcher/preflight, launcher/preload, launcher/program, launcher/rendezvous, launcher/report,
// launcher/torchrun, launcher/workers.
//
// The values that the user gave, as text: from the command line, the environment or a file.
#pragma once

#include "common/result.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

// One value as the user gave it.
struct Setting {
  std::string what;  // in messages: "--nproc", "run.toml:3:9: nproc", "DDP_LAUNCH_LOG"
  std::string text;
  std::string source = "command line";  // or the place in a file, or the environment variable
};

// "<what> is '<text>': expected <expected>"
inline Error refusal(const Setting& setting, std::string_view expected) {
  return Error{setting.what + " is '" + setting.text + "': expected " + std::string(expected)};
}

// --help, --version, or a refusal: print `text` to stdout (code 0) or stderr, and exit with `code`.
struct ExitNow {
  int code = 0;
  std::string text;
};

// By a flag's first name, dashes included.
class Settings {
 public:
  // The value of a flag that has one; nullptr where it was not given.
  const Setting* get(std::string_view flag) const {
    const auto values = all(flag);
    return values.empty() ? nullptr : &values.front();
  }
  // Every value of a flag that may be given several times, in the order given.
  std::span<const Setting> all(std::string_view flag) const {
    const auto it = settings_.find(flag);
    return it == settings_.end() ? std::span<const Setting>() : it->second;
  }
  void set(std::string_view flag, Setting setting) {
    settings_.insert_or_assign(std::string(flag), std::vector{std::move(setting)});
  }
  void add(std::string_view flag, Setting setting) {
    settings_[std::string(flag)].push_back(std::move(setting));
  }
  void remove(std::string_view flag) {
    if (const auto it = settings_.find(flag); it != settings_.end()) settings_.erase(it);
  }
  // What `other` has of this flag, if anything, replaces what is here.
  void take(std::string_view flag, const Settings& other) {
    if (const auto it = other.settings_.find(flag); it != other.settings_.end())
      settings_.insert_or_assign(it->first, it->second);
  }
  // All that `other` has replaces what is here.
  void take(const Settings& other) {
    for (const auto& [flag, values] : other.settings_) settings_.insert_or_assign(flag, values);
  }

 private:
  std::map<std::string, std::vector<Setting>, std::less<>> settings_;
};

}  // namespace ddp

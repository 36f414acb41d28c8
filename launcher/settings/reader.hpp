// Settings read as values, for the parts of options_check.
#pragma once

#include "common/parse.hpp"
#include "common/signal_name.hpp"
#include "launcher/cli/flags.hpp"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

namespace ddp {

// No error: the value is read, or was not given and keeps its default.
using Failure = std::optional<Error>;

class SettingsReader {
 public:
  explicit SettingsReader(const Settings& settings) : settings_(settings) {}

  const Settings& settings() const { return settings_; }

  const Setting* given(Flag flag) const { return settings_.get(flag); }

  Failure integer(Flag flag, std::int64_t low, std::int64_t high, int& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto value = parse_integer(setting->what, setting->text, low, high);
    if (!value) return Error{value.error()};
    into = static_cast<int>(*value);
    return std::nullopt;
  }

  Failure duration(Flag flag, std::chrono::nanoseconds& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto value = parse_duration(setting->what, setting->text);
    if (!value) return Error{value.error()};
    into = *value;
    return std::nullopt;
  }

  // A signal that a program can handle.
  Failure signal(Flag flag, std::optional<int>& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto number = parse_signal(setting->text);
    if (!number || *number == SIGKILL || *number == SIGSTOP)
      return refusal(*setting, "a signal that a program can handle, such as USR1");
    into = number;
    return std::nullopt;
  }

  template <class Value>
  Failure choice(Flag flag, std::initializer_list<std::pair<const char*, Value>> choices,
                 Value& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    std::string allowed;
    for (auto it = choices.begin(); it != choices.end(); ++it) {
      if (setting->text == it->first) {
        into = it->second;
        return std::nullopt;
      }
      if (it != choices.begin()) allowed += it + 1 == choices.end() ? " or " : ", ";
      allowed += it->first;
    }
    return refusal(*setting, allowed);
  }

  bool toggle(Flag flag) const { return given(flag) != nullptr && given(flag)->text == "true"; }

 private:
  const Settings& settings_;
};

}  // namespace ddp

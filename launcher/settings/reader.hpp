// Settings read as values. Each room reads its own flags, by their first names.
#pragma once

#include "common/parse.hpp"
#include "common/signal_name.hpp"
#include "launcher/settings/settings.hpp"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace ddp {

// No error: the value is read, or was not given and keeps its default.
using Failure = std::optional<Error>;

class SettingsReader {
 public:
  // The names of the flags that are read go into `reads`, where a test wants to know.
  using Names = std::set<std::string, std::less<>>;
  explicit SettingsReader(const Settings& settings, Names* reads = nullptr)
      : settings_(settings), reads_(reads) {}

  const Setting* given(std::string_view flag) const {
    const auto values = all(flag);
    return values.empty() ? nullptr : &values.front();
  }

  std::span<const Setting> all(std::string_view flag) const {
    if (reads_ != nullptr) reads_->emplace(flag);
    return settings_.all(flag);
  }

  Failure integer(std::string_view flag, std::int64_t low, std::int64_t high, int& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto value = parse_integer(setting->what, setting->text, low, high);
    if (!value) return Error{value.error()};
    into = static_cast<int>(*value);
    return std::nullopt;
  }

  Failure duration(std::string_view flag, std::chrono::nanoseconds& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto value = parse_duration(setting->what, setting->text);
    if (!value) return Error{value.error()};
    into = *value;
    return std::nullopt;
  }

  // A file that is written at the end of a run or all along. One that cannot be written is refused
  // as far as that is known before the run: at the end of a long one it is late.
  Failure file_to_write(std::string_view flag, std::string& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    into = setting->text;
    const std::filesystem::path path(into);
    const auto directory = path.has_parent_path() ? path.parent_path() : ".";
    std::error_code failed;
    if (!path.has_filename() || std::filesystem::is_directory(path, failed) ||
        !std::filesystem::is_directory(directory, failed))
      return refusal(*setting, "a file in a directory that exists");
    return std::nullopt;
  }

  // A signal that a program can handle.
  Failure signal(std::string_view flag, std::optional<int>& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto number = parse_signal(setting->text);
    if (!number || *number == SIGKILL || *number == SIGSTOP)
      return refusal(*setting, "a signal that a program can handle, such as USR1");
    into = number;
    return std::nullopt;
  }

  template <class Value>
  Failure choice(std::string_view flag,
                 std::initializer_list<std::pair<const char*, Value>> choices, Value& into) const {
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

  bool toggle(std::string_view flag) const {
    const Setting* const setting = given(flag);
    return setting != nullptr && setting->text == "true";
  }

 private:
  const Settings& settings_;
  Names* reads_;
};

}  // namespace ddp

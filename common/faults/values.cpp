// What is allowed after each '=' of a spec.
#include "common/faults/values.hpp"

#include "common/faults/line_pattern.hpp"
#include "common/notify_message.hpp"
#include "common/parse.hpp"
#include "common/signal_name.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace ddp::fault {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr int kMostRanks = 1 << 20;
constexpr const char* kDurationExpected = "expected a duration such as 30, 1.5s, 250ms, 10m or 2h";

std::optional<std::int64_t> integer(std::string_view text, std::int64_t low, std::int64_t high) {
  const auto value = parse_integer("", text, low, high);
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::int64_t> byte_count(std::string_view text) {
  constexpr std::string_view kSuffixes = "KMGT";
  if (text.ends_with("iB")) text.remove_suffix(2);
  std::int64_t unit = 1;
  if (!text.empty()) {
    if (const auto power = kSuffixes.find(text.back()); power != std::string_view::npos) {
      unit = std::int64_t{1} << (10 * (power + 1));
      text.remove_suffix(1);
    }
  }
  const auto number = integer(text, 0, kMost / unit);
  return number ? std::optional(*number * unit) : std::nullopt;
}

std::optional<std::vector<Range>> ranges(std::string_view text, std::int64_t high) {
  std::vector<Range> all;
  while (true) {
    const auto comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const auto dash = item.find('-');
    const auto first = integer(item.substr(0, dash), 0, high);
    const auto last =
        dash == std::string_view::npos ? first : integer(item.substr(dash + 1), 0, high);
    if (!first || !last || *last < *first) return std::nullopt;
    all.push_back({*first, *last});
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::vector<Range> merged;
  for (const auto& range : all) {
    if (!merged.empty() && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::optional<int> error_number(std::string_view text) {
  for (int number = 1; number < 134; ++number) {
    const char* const name = ::strerrorname_np(number);
    if (name != nullptr && text == name) return number;
  }
  return std::nullopt;
}

Refusal read_interval(const std::string& text, std::optional<Interval>& into) {
  for (const std::string_view unit : {"steps", "step"}) {
    if (!text.ends_with(unit)) continue;
    const auto steps =
        integer(std::string_view(text).substr(0, text.size() - unit.size()), 1, 1'000'000'000);
    if (!steps) return "expected steps such as 25steps";
    into = Interval(*steps);
    return {};
  }
  const auto duration = parse_duration("", text);
  if (!duration || *duration < std::chrono::milliseconds(1))
    return "expected steps such as 25steps, or a duration of 1ms or more such as 30s";
  into = Interval(*duration);
  return {};
}

Refusal read_duration(const std::string& text, std::optional<Nanoseconds>& into) {
  const auto duration = parse_duration("", text);
  if (!duration) return kDurationExpected;
  into = *duration;
  return {};
}

Refusal read_unsigned(const std::string& text, std::optional<std::uint64_t>& into) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return "expected a number from 0 to 2^64-1";
  into = number;
  return {};
}

Refusal read_text(const std::string& text, std::optional<std::string>& into) {
  if (text.empty()) return "expected some text";
  if (std::any_of(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\0'; }))
    return "expected text on one line";
  into = text;
  return {};
}

}  // namespace

Refusal read_value(const KindInfo& row, const std::string& text, Value& into) {
  const auto amount = [&](auto number_of, const char* expected) -> Refusal {
    const bool relative = text.starts_with('+');
    const auto number = number_of(std::string_view(text).substr(relative ? 1 : 0));
    if (!number) return expected;
    into = Amount{*number, relative};
    return {};
  };
  const auto number = [&](std::int64_t low, std::int64_t high, const char* expected) -> Refusal {
    const auto value = integer(text, low, high);
    if (!value) return expected;
    into = *value;
    return {};
  };
  switch (row.type) {
    case ValueType::none:
      return std::string(row.name) + " takes no value";
    case ValueType::signal: {
      const auto signal = parse_signal(text);
      if (!signal) return "expected a signal such as USR1 or 10";
      into = std::int64_t{*signal};
      return {};
    }
    case ValueType::code:
      return number(0, 255, "expected an exit code from 0 to 255");
    case ValueType::core:
      return number(0, 1023, "expected the number of a core from 0 to 1023");
    case ValueType::bit:
      return number(0, 31, "expected the number of a bit from 0 to 31");
    case ValueType::fraction: {
      double fraction = 0;
      const char* const end = text.data() + text.size();
      const auto [stop, error] =
          std::from_chars(text.data(), end, fraction, std::chars_format::fixed);
      if (error != std::errc{} || stop != end || !(fraction >= 0.01 && fraction <= 0.99))
        return "expected a fraction of full speed from 0.01 to 0.99";
      into = fraction;
      return {};
    }
    case ValueType::duration: {
      const auto duration = parse_duration("", text);
      if (!duration) return kDurationExpected;
      into = *duration;
      return {};
    }
    case ValueType::errnum: {
      const auto errnum = error_number(text);
      if (!errnum) return "expected an error of the system such as EAGAIN or ENOMEM";
      into = std::int64_t{*errnum};
      return {};
    }
    case ValueType::bytes:
      if (row.kind == Kind::file_size && text.starts_with('+'))
        return "expected bytes such as 1M or 0, without '+': the limit is for each file";
      return amount(byte_count,
                    "expected bytes such as 512M or 0, or +64M for that much more than in use");
    case ValueType::count:
      return amount([](std::string_view t) { return integer(t, 0, 1 << 30); },
                    "expected a count such as 64, or +0 for that many more than in use");
    case ValueType::seconds:
      return amount([](std::string_view t) { return integer(t, 0, 1 << 30); },
                    "expected whole seconds such as 60, or +1 for that much more than used");
  }
  return "?";
}

Refusal read_word(Word word, const std::string& text, int world_size, Spec& spec) {
  switch (word) {
    case Word::rank: {
      spec.ranks.listed.clear();
      if (text == "any" || text == "all") {
        spec.ranks.mode = text == "any" ? Ranks::Mode::any : Ranks::Mode::all;
        return {};
      }
      auto listed = ranges(text, kMostRanks - 1);
      if (!listed) return "expected ranks such as 2, 0-3 or 1,3, or any, or all";
      if (world_size > 0 && listed->back().last >= world_size) {
        return "expected ranks from 0 to " + std::to_string(world_size - 1) +
               ", because the world size is " + std::to_string(world_size);
      }
      spec.ranks = {Ranks::Mode::listed, std::move(*listed)};
      return {};
    }
    case Word::step: {
      const auto step = ranges(text, kMost - 1);
      if (!step || step->size() != 1)
        return "expected a step such as 50, or a range such as 10-90 to draw one from";
      spec.step = step->front();
      return {};
    }
    case Word::phase:
      // A worker cannot report any other.
      if (!is_notify_name(text))
        return "expected a phase as in X_DDP_PHASE: up to " + std::to_string(kNotifyNameLimit) +
               " bytes, no control characters";
      spec.phase = text;
      return {};
    case Word::after:
      return read_duration(text, spec.after);
    case Word::ready:
      return read_duration(text, spec.ready);
    case Word::line: {
      if (auto refusal = read_text(text, spec.line); !refusal.empty()) return refusal;
      const auto pattern = LinePattern::compile(text);
      if (!pattern) return "expected an extended regular expression (" + pattern.error() + ")";
      return {};
    }
    case Word::gen: {
      auto generations = ranges(text, 1 << 30);
      if (!generations) return "expected generations such as 0, 1-3 or 0,2";
      spec.generations = std::move(*generations);
      return {};
    }
    case Word::every:
      return read_interval(text, spec.every);
    case Word::mtbf:
      return read_interval(text, spec.mtbf);
    case Word::times: {
      const auto times = integer(text, 1, 1'000'000'000);
      if (!times) return "expected a number of times from 1";
      spec.times = *times;
      return {};
    }
    case Word::lasts:
      if (auto refusal = read_duration(text, spec.lasts); !refusal.empty()) return refusal;
      if (*spec.lasts < std::chrono::milliseconds(1)) return "expected 1ms or longer";
      return {};
    case Word::seed:
      return read_unsigned(text, spec.seed);
    case Word::choice:
      return read_unsigned(text, spec.choice);
  }
  return "?";
}

}  // namespace ddp::fault

#include "launcher/output/prefix.hpp"

#include "common/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

namespace ddp::out {
namespace {

constexpr std::array<const char*, 6> kColours = {"\x1b[36m", "\x1b[33m", "\x1b[32m",
                                                 "\x1b[35m", "\x1b[34m", "\x1b[31m"};
constexpr std::string_view kNoColour = "\x1b[0m";

constexpr std::string_view kRule =
    "text of at most 256 bytes without control characters, with {{ and }} for braces and the "
    "fields {rank}, {local_rank}, {world_size}, {role}, {time}, {attempt}, {stream}, {run_id}";

std::string iso_time() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ",
                static_cast<int>(now.tv_nsec / 1'000'000 % 1000));
  return std::string(text.data(), length) + fraction.data();
}

std::string elapsed_time(std::chrono::steady_clock::duration elapsed) {
  const auto all = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%5lld.%03lld", static_cast<long long>(all / 1000),
                static_cast<long long>(all % 1000));
  return text.data();
}

}  // namespace

std::optional<PrefixTemplate::Field> PrefixTemplate::field_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Field> kFields[] = {
      {"rank", Field::rank},
      {"local_rank", Field::local_rank},
      {"world_size", Field::world_size},
      {"role", Field::role},
      {"time", Field::time},
      {"attempt", Field::attempt},
      {"stream", Field::stream},
      {"run_id", Field::run_id}};
  for (const auto& [known, field] : kFields) {
    if (name == known) return field;
  }
  return std::nullopt;
}

std::string PrefixTemplate::value_of(const Piece& piece, const PrefixFields& fields) {
  switch (piece.field) {
    case Field::rank: {
      const std::string number = std::to_string(fields.rank);
      const std::size_t width = std::to_string(std::max(fields.world_size - 1, 0)).size();
      return std::string(width > number.size() ? width - number.size() : 0, ' ') + number;
    }
    case Field::local_rank:
      return std::to_string(fields.local_rank);
    case Field::world_size:
      return std::to_string(fields.world_size);
    case Field::role:
      return std::string(fields.role);
    case Field::attempt:
      return std::to_string(fields.attempt);
    case Field::stream:
      return std::string(fields.stream);
    case Field::run_id:
      return std::string(fields.run_id);
    case Field::text:
    case Field::time:
      break;
  }
  return piece.text;
}

PrefixTemplate PrefixTemplate::rank() {
  PrefixTemplate parsed;
  parsed.pieces_ = {{Field::text, "["}, {Field::rank, ""}, {Field::text, "] "}};
  return parsed;
}

Result<PrefixTemplate> PrefixTemplate::parse(std::string_view text) {
  const std::string rule(kRule);
  if (text.size() > kLongest) return Error{rule + "; it has " + std::to_string(text.size())};
  if (has_control(text)) return Error{rule};
  PrefixTemplate parsed;
  std::string plain;
  const auto end_plain = [&] {
    if (!plain.empty()) parsed.pieces_.push_back({Field::text, std::exchange(plain, {})});
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      plain += c;
    } else if (at + 1 < text.size() && text[at + 1] == c) {
      plain += c;
      ++at;
    } else {
      const std::size_t end = c == '{' ? text.find('}', at) : std::string_view::npos;
      if (end == std::string_view::npos) return Error{rule + "; it has an unmatched '" + c + "'"};
      const auto field = field_of(text.substr(at + 1, end - at - 1));
      if (!field)
        return Error{rule + "; '" + std::string(text.substr(at, end + 1 - at)) +
                     "' is not a field"};
      end_plain();
      parsed.pieces_.push_back({*field, {}});
      at = end;
    }
  }
  end_plain();
  return parsed;
}

bool PrefixTemplate::has_time() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& piece) { return piece.field == Field::time; });
}

void PrefixTemplate::put_time_first() {
  pieces_.insert(pieces_.begin(), {{Field::time, ""}, {Field::text, " "}});
}

LineStart line_start(bool raw, std::optional<PrefixTemplate> prefix,
                     std::optional<TimeFormat> timestamps) {
  LineStart start;
  if (prefix) {
    start.console = start.file = std::move(*prefix);
  } else if (raw) {
    start.console = PrefixTemplate();
  }
  if (!timestamps) return start;
  start.time = *timestamps;
  for (PrefixTemplate* const one : {&start.console, &start.file}) {
    if (!one->has_time()) one->put_time_first();
  }
  return start;
}

Prefix::Prefix(const PrefixTemplate& source, const PrefixFields& fields, TimeFormat time,
               Clock::time_point began, bool colour)
    : parts_(1), time_(time), began_(began), colour_(colour && !source.empty()) {
  for (const auto& piece : source.pieces_) {
    if (piece.field == PrefixTemplate::Field::time) {
      parts_.emplace_back();
    } else {
      parts_.back() += PrefixTemplate::value_of(piece, fields);
    }
  }
  if (colour_) {
    const auto index = static_cast<std::size_t>(std::max(fields.rank, 0)) % kColours.size();
    parts_.front().insert(0, kColours[index]);
    std::string& last = parts_.back();
    last.insert(last.find_last_not_of(' ') + 1, kNoColour);
  }
  text_ = parts_.front();
  refresh(began);
}

void Prefix::refresh(Clock::time_point now) {
  if (!timed()) return;
  const std::string time = time_ == TimeFormat::iso ? iso_time() : elapsed_time(now - began_);
  text_ = parts_.front();
  for (std::size_t i = 1; i < parts_.size(); ++i) text_.append(time).append(parts_[i]);
}

int Prefix::columns() const {
  const auto characters = std::count_if(text_.begin(), text_.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;  // not within a UTF-8 sequence
  });
  const std::size_t codes = colour_ ? std::string_view(kColours[0]).size() + kNoColour.size() : 0;
  return static_cast<int>(characters) - static_cast<int>(codes);
}

}  // namespace ddp::out

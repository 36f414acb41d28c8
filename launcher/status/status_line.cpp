#include "launcher/status/status_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace ddp {
namespace {

using core::GroupState;

constexpr int kBarColumns = 16;
constexpr double kSlow = 1.2;  // times the median: a rank that is named

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kReset = "\x1b[0m";

// The number is the order in which parts are left out: the highest first.
enum Weight { always, progress_weight, time_weight, rate_weight, loss_weight, bar_weight, rest };

struct Part {
  int weight = always;
  std::string text;
  int columns = 0;
};

Part part(int weight, std::string text, std::string_view style, bool colour) {
  const int columns = static_cast<int>(text.size());
  if (colour && !style.empty()) text = fmt::format("{}{}{}", style, text, kReset);
  return {weight, std::move(text), columns};
}

// "12,345"
std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (auto i = static_cast<std::ptrdiff_t>(text.size()) - 3; i > 0; i -= 3)
    text.insert(static_cast<std::size_t>(i), 1, ',');
  return text;
}

// "4:05", "1:02:03", "3 d 02:00"
std::string clock_text(core::Nanoseconds time) {
  const auto all = std::chrono::floor<std::chrono::seconds>(time).count();
  const auto seconds = all % 60;
  const auto minutes = all / 60 % 60;
  const auto hours = all / 3600 % 24;
  const auto days = all / 86400;
  if (days > 0) return fmt::format("{} d {:02}:{:02}", days, hours, minutes);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, seconds);
  return fmt::format("{}:{:02}", minutes, seconds);
}

std::string significant(double value, const char* unit) {
  if (value >= 100) return fmt::format("{:.0f}{}", value, unit);
  return fmt::format("{:.3g}{}", value, unit);
}

std::string rate_text(double rate) {
  return rate >= 1 ? significant(rate, " steps/s") : significant(1 / rate, " s/step");
}

Part bar(double share, bool colour) {
  const auto full = static_cast<int>(share * kBarColumns);
  std::string done;
  std::string open;
  for (int i = 0; i < kBarColumns; ++i) (i < full ? done : open) += i < full ? "━" : "─";
  if (colour) {
    done = fmt::format("{}{}{}", kGreen, done, kReset);
    open = fmt::format("{}{}{}", kDim, open, kReset);
  }
  const std::string percent = fmt::format(" {:.0f} %", std::floor(share * 100));
  return {bar_weight, done + open + percent, kBarColumns + static_cast<int>(percent.size())};
}

void add_step(std::vector<Part>& parts, const core::Progress& progress, bool colour) {
  const auto at = progress.step();
  if (!at) return;
  const auto total = progress.total_steps();
  std::string step = "step " + grouped(at->step);
  if (total) step += "/" + grouped(*total);
  parts.push_back(part(progress_weight, std::move(step), kBold, colour));
  if (total && *total > 0)
    parts.push_back(bar(
        std::clamp(static_cast<double>(at->step) / static_cast<double>(*total), 0., 1.), colour));
  if (const auto rate = progress.rate())
    parts.push_back(part(rate_weight, rate_text(*rate), "", colour));
  if (at->loss) {
    const bool bad = !std::isfinite(*at->loss);
    parts.push_back(
        part(loss_weight, fmt::format("loss {:.5g}", *at->loss), bad ? kYellow : "", colour));
  }
  if (at->slowest && progress.group().nproc > 1 && at->busy_median->count() > 0) {
    const double factor = static_cast<double>(at->slowest_busy.count()) /
                          static_cast<double>(at->busy_median->count());
    if (factor >= kSlow)
      parts.push_back(part(rest,
                           fmt::format("rank {} {:.1f}x the median",
                                       progress.group().global(*at->slowest).value, factor),
                           kYellow, colour));
  }
}

}  // namespace

std::string status_line(const core::Progress& progress, const StatusView& view) {
  const bool colour = view.colour;
  std::vector<Part> parts;
  if (progress.state() != GroupState::running)
    parts.push_back(part(always, std::string(core::name_of(progress.state())), kYellow, colour));
  if (progress.generation() > 0)
    parts.push_back(part(rest, fmt::format("attempt {}", progress.generation()), "", colour));
  const int nproc = progress.group().nproc;
  parts.push_back(part(always,
                       fmt::format("{}/{} rank{}", progress.up(), nproc, nproc == 1 ? "" : "s"),
                       progress.up() == nproc ? kGreen : kYellow, colour));
  if (progress.state() == GroupState::running) add_step(parts, progress, colour);
  if (view.max_restarts > 0) {
    const int left = std::max(0, view.max_restarts - progress.generation());
    parts.push_back(
        part(rest, fmt::format("{} restart{} left", left, left == 1 ? "" : "s"), "", colour));
  }
  parts.push_back(part(time_weight, clock_text(view.now - progress.began()), kDim, colour));
  if (const auto left = progress.time_left(); left && progress.state() == GroupState::running)
    parts.push_back(part(time_weight, clock_text(*left) + " left", "", colour));

  constexpr int kGap = 2;
  const auto width = [&] {
    int columns = -kGap;
    for (const auto& one : parts) columns += one.columns + kGap;
    return columns;
  };
  // The last column stays free: a terminal may wrap when it is written.
  while (width() >= view.columns && parts.size() > 1) {
    const auto least =
        std::max_element(parts.begin(), parts.end(),
                         [](const Part& a, const Part& b) { return a.weight < b.weight; });
    if (least->weight == always) break;
    parts.erase(least);
  }
  std::string line;
  for (const auto& one : parts) {
    if (!line.empty()) line.append(kGap, ' ');
    line += one.text;
  }
  return line;
}

}  // namespace ddp

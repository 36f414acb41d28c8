#include "launcher/page/picture.hpp"

#include "common/duration_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

namespace ddp::page {
namespace {

// In the picture's units.
constexpr double kWidth = 1000;
constexpr double kLeft = 52;  // of the lanes, after their labels
constexpr double kTop = 36;   // of the lanes, below the times and the attempts
constexpr double kCurveHeight = 90;
constexpr double kCurveGap = 34;
constexpr std::size_t kMostRectangles = 20'000;

class Picture {
 public:
  Picture(Html& html, const Chart& chart)
      : html_(html),
        chart_(chart),
        lane_height_(std::clamp(600.0 / std::max(chart.ranks, 1), 2.5, 20.0)),
        bottom_(kTop + lane_height_ * std::max(chart.ranks, 1)) {}

  void draw() {
    const bool has_loss = std::any_of(chart_.curve.begin(), chart_.curve.end(),
                                      [](const CurvePoint& one) { return one.loss.has_value(); });
    const bool has_time = std::any_of(chart_.curve.begin(), chart_.curve.end(),
                                      [](const auto& one) { return one.milliseconds.has_value(); });
    const double height = bottom_ + (has_loss + has_time) * (kCurveGap + kCurveHeight) + 8;
    html_ << "<svg class=\"picture\" role=\"img\" aria-label=\"Timeline of the ranks\" viewBox=\"0 "
             "0 1000 ";
    html_.real(height, 1) << "\">";
    ticks(height - 8);
    attempts();
    ranks();
    lanes();
    marks();
    double top = bottom_ + kCurveGap;
    if (has_time) {
      curve(top, "step time, ms", "step-time", 0,
            [](const CurvePoint& one) { return one.milliseconds; });
      top += kCurveHeight + kCurveGap;
    }
    if (has_loss)
      curve(top, "loss", "loss", std::nullopt, [](const CurvePoint& one) { return one.loss; });
    html_ << "</svg>";
  }

 private:
  double x(core::TimePoint at) const {
    const auto whole =
        static_cast<double>(std::max<std::int64_t>((chart_.end - chart_.began).count(), 1));
    const auto part = static_cast<double>((at - chart_.began).count());
    return kLeft + (kWidth - kLeft - 8) * std::clamp(part / whole, 0.0, 1.0);
  }
  double y(int rank) const {
    return kTop +
           lane_height_ * std::clamp(rank - chart_.first_rank, 0, std::max(chart_.ranks - 1, 0));
  }
  void label(double at_x, double at_y, const char* anchor, const std::string& text) {
    html_ << "<text x=\"";
    html_.real(at_x, 1) << "\" y=\"";
    html_.real(at_y, 1) << "\" text-anchor=\"";
    html_.text(anchor) << "\">";
    html_.text(text) << "</text>";
  }
  void line(double x1, double y1, double x2, double y2) {
    html_ << "<path class=\"grid\" d=\"M";
    html_.real(x1, 1) << " ";
    html_.real(y1, 1) << "L";
    html_.real(x2, 1) << " ";
    html_.real(y2, 1) << "\"/>";
  }

  // At round times: 1, 2 or 5 times a power of ten; about eight of them.
  void ticks(double bottom) {
    const auto whole = static_cast<double>((chart_.end - chart_.began).count());
    if (whole <= 0) return;
    const double power = std::pow(10, std::floor(std::log10(whole / 8)));
    const double rest = whole / 8 / power;
    const double step = power * (rest > 5 ? 10 : rest > 2 ? 5 : rest > 1 ? 2 : 1);
    for (double at = 0; at <= whole; at += step) {
      const auto since = core::Nanoseconds(static_cast<std::int64_t>(std::llround(at)));
      const double left = x(chart_.began + since);
      line(left, 14, left, bottom);
      label(left, 10, "middle", exact_duration(since));
    }
  }

  void attempts() {
    for (const auto& attempt : chart_.attempts) {
      const double left = x(attempt.began);
      const double width = std::max(x(attempt.ended) - left, 0.5);
      html_ << "<rect class=\"attempt\" x=\"";
      html_.real(left, 1) << "\" y=\"17\" width=\"";
      html_.real(width, 1) << "\" height=\"";
      html_.real(bottom_ - 17, 1) << "\"/>";
      if (width > 70)
        label(left + 4, 29, "start",
              "attempt " + std::to_string(attempt.number) +
                  (width > 160 ? ": " + attempt.outcome : ""));
    }
  }

  void ranks() {
    const int every = lane_height_ >= 9 ? 1 : lane_height_ >= 4.5 ? 8 : 32;
    for (int i = 0; i < chart_.ranks; i += every)
      label(kLeft - 6, y(chart_.first_rank + i) + lane_height_ / 2 + 3, "end",
            std::to_string(chart_.first_rank + i));
  }

  // One path for each activity.
  void lanes() {
    std::array<Html, history::kActivities.size()> paths;
    std::size_t drawn = 0;
    const double height = lane_height_ * (lane_height_ < 5 ? 1 : 0.72);
    for (const auto& attempt : chart_.attempts) {
      for (const auto& lane : attempt.lanes) {
        double until = 0;
        for (const auto& one : lane.segments) {
          const double from = x(one.from);
          const double to = std::max(x(one.to), from + 0.4);
          if (to < until + 0.4 || drawn >= kMostRectangles) continue;  // less than can be seen
          until = to;
          ++drawn;
          auto& path = paths[static_cast<std::size_t>(one.activity)];
          path << "M";
          path.real(from, 1) << " ";
          path.real(y(lane.rank) + (lane_height_ < 5 ? 0 : lane_height_ * 0.1), 1) << "h";
          path.real(to - from, 1) << "v";
          path.real(height, 1) << "h-";
          path.real(to - from, 1) << "z";
        }
      }
    }
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (paths[i].str().empty()) continue;
      html_ << "<path class=\"fill-";
      html_.text(history::kActivities[i].id) << "\" d=\"";
      html_.whole(paths[i].str()) << "\"/>";
    }
  }

  void marks() {
    for (const auto& mark : chart_.marks) {
      const bool of_all = mark.rank < chart_.first_rank;
      html_ << "<use href=\"#mark-";
      html_.text(id_of(mark.kind)) << "\" x=\"";
      html_.real(x(mark.at), 1) << "\" y=\"";
      html_.real(of_all ? kTop - 6 : y(mark.rank) + lane_height_ / 2, 1) << "\"><title>";
      html_.text(mark.rank < 0 ? "group" : "rank " + std::to_string(mark.rank)) << ", ";
      html_.text(mark.text) << "</title></use>";
    }
  }

  // `low`: where the axis begins; none: at the lowest value.
  template <class Value>
  void curve(double top, const char* title, const char* id, std::optional<double> low,
             Value value) {
    std::optional<double> high;
    for (const auto& one : chart_.curve) {
      const auto of = value(one);
      if (!of) continue;
      low = std::min(low.value_or(*of), *of);
      high = std::max(high.value_or(*of), *of);
    }
    const double range = std::max(*high - *low, 1e-9);
    label(kLeft, top - 8, "start", title);
    line(kLeft, top, kWidth - 8, top);
    line(kLeft, top + kCurveHeight, kWidth - 8, top + kCurveHeight);
    label(kLeft - 6, top + 8, "end", number(*high));
    label(kLeft - 6, top + kCurveHeight, "end", number(*low));
    html_ << "<path class=\"curve curve-";
    html_.text(id) << "\" d=\"";
    bool pen = false;
    for (const auto& one : chart_.curve) {
      const auto of = value(one);
      if (!of) {
        if (one.begins) pen = false;
        continue;
      }
      if (pen && !one.begins) {
        html_ << "L";
      } else {
        html_ << "M";
      }
      pen = true;
      html_.real(x(one.at), 1) << " ";
      html_.real(top + kCurveHeight * (1 - (*of - *low) / range), 1);
    }
    html_ << "\"/>";
  }

  static std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
  }

  Html& html_;
  const Chart& chart_;
  double lane_height_;
  double bottom_;
};

}  // namespace

void add_picture(Html& html, const Chart& chart) { Picture(html, chart).draw(); }

}  // namespace ddp::page

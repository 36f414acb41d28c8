// What the picture and the script draw: the lanes, what is marked on them, and the curves, thinned
// out to what a page can hold.
#pragma once

#include "launcher/history/history.hpp"
#include "launcher/history/segments.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::page {

struct Lane {
  int rank = 0;
  std::int64_t pid = 0;
  core::TimePoint spawned;
  std::string exit;
  std::vector<history::Segment> segments;
};

struct Attempt {
  std::int64_t number = 0;
  core::TimePoint began;
  core::TimePoint ended;
  std::string outcome;
  std::vector<Lane> lanes;
};

enum class MarkKind { fault, death, straggler, hang };
std::string_view id_of(MarkKind kind);

struct Mark {
  MarkKind kind;
  core::TimePoint at;
  int rank = -1;  // -1: the whole group
  std::string text;
};

struct CurvePoint {
  core::TimePoint at;
  std::int64_t step = 0;
  std::optional<double> loss;          // finite
  std::optional<double> milliseconds;  // a step, since the point before
  bool begins = false;                 // an attempt: no line leads here
};

struct Chart {
  core::TimePoint began;
  core::TimePoint end;
  int first_rank = 0;
  int ranks = 0;
  std::vector<Attempt> attempts;
  std::vector<Mark> marks;  // by time
  std::vector<CurvePoint> curve;
  std::size_t left_out = 0;  // attempts, the oldest
};

Chart chart_of(const history::History& history);

// For the script; see page.js.
std::string json_of(const Chart& chart);

}  // namespace ddp::page

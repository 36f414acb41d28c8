#include "worker/model/layout.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

using namespace ddp::worker;

TEST_CASE("segments lie one after another in the order gradients become ready") {
  const Layout layout({.context = 4, .embed = 3, .hidden = 5, .layers = 2});
  REQUIRE(layout.segments.size() == 7);
  const char* const names[] = {"output.bias",     "output.weight", "hidden.1.bias",
                               "hidden.1.weight", "hidden.0.bias", "hidden.0.weight",
                               "embedding.weight"};
  std::size_t end = Layout::kHeader;
  for (std::size_t i = 0; i < layout.segments.size(); ++i) {
    const Segment& s = layout.segments[i];
    CHECK(s.name == names[i]);
    CHECK(s.offset >= end);
    CHECK(s.offset < end + Layout::kAlign);
    CHECK(s.offset % Layout::kAlign == 0);
    end = s.offset + s.size();
  }
  CHECK(layout.hidden_weight(0).cols == 12);
  CHECK(layout.hidden_weight(1).cols == 5);
  CHECK(layout.hidden_bias(1).name == "hidden.1.bias");
  CHECK(layout.output_weight().rows == 256);
  CHECK(layout.parameters == 256 + 256 * 5 + 5 + 25 + 5 + 60 + 256 * 3);
}

TEST_CASE("parameters are counted without header and gaps") {
  const Layout layout({.context = 4, .embed = 3, .hidden = 5, .layers = 1});
  std::size_t index = 0;
  for (const Segment& s : layout.segments)
    for (std::size_t i = 0; i < s.size(); ++i) CHECK(layout.element_of(index++) == s.offset + i);
  CHECK(index == layout.parameters);
}

TEST_CASE("buckets cover the buffer, cut where segments end") {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{4000}, std::size_t{1} << 30}) {
    const Layout layout({.context = 4, .embed = 8, .hidden = 64, .layers = 3});
    const std::vector<Range> buckets = make_buckets(layout, limit / 2, limit);
    std::set<std::size_t> ends{layout.size};
    for (const Segment& s : layout.segments) ends.insert(s.offset);
    std::size_t at = 0;
    for (const Range& b : buckets) {
      CHECK(b.begin == at);
      CHECK(b.end > b.begin);
      CHECK(ends.contains(b.end));
      at = b.end;
    }
    CHECK(at == layout.size);
    // One segment a bucket at most where none fits; everything in one where all do.
    if (limit == 1) CHECK(buckets.size() == layout.segments.size());
    if (limit == std::size_t{1} << 30) CHECK(buckets.size() == 1);
  }
}

TEST_CASE("initial parameters depend on the seed alone, gaps stay zero") {
  const Layout layout({.context = 4, .embed = 3, .hidden = 5, .layers = 1});
  std::vector<float> a(layout.size);
  std::vector<float> b(layout.size, 7);
  std::vector<float> c(layout.size);
  initialize(layout, 1, a);
  initialize(layout, 1, b);
  initialize(layout, 2, c);
  CHECK(a == b);
  CHECK(a != c);
  for (std::size_t i = 0; i < Layout::kHeader; ++i) CHECK(a[i] == 0);
  const Segment& s = layout.output_weight();
  CHECK(a[s.offset] != 0);
  const Segment& embedding = layout.embedding();
  double square = 0;
  for (std::size_t i = 0; i < embedding.size(); ++i)
    square += static_cast<double>(a[embedding.offset + i] * a[embedding.offset + i]);
  CHECK(square / static_cast<double>(embedding.size()) == doctest::Approx(1).epsilon(0.1));
}

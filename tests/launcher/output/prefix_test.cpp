#include "launcher/output/prefix.hpp"

#include <doctest/doctest.h>

#include <regex>

using namespace ddp::out;
using Clock = std::chrono::steady_clock;

namespace {

const PrefixFields kFields{.rank = 3,
                           .local_rank = 1,
                           .world_size = 11,
                           .attempt = 2,
                           .stream = "stderr",
                           .run_id = "night"};

std::string filled(const PrefixTemplate& source, const PrefixFields& fields = kFields,
                   bool colour = false) {
  return Prefix(source, fields, TimeFormat::iso, Clock::time_point{}, colour).text();
}

std::string filled(const char* text) {
  const auto parsed = PrefixTemplate::parse(text);
  REQUIRE_MESSAGE(parsed, parsed.error());
  return filled(*parsed);
}

std::string ranked(int rank, int world_size, bool colour = false) {
  PrefixFields fields = kFields;
  fields.rank = rank;
  fields.world_size = world_size;
  return filled(PrefixTemplate::rank(), fields, colour);
}

std::string refused(const std::string& text) {
  const auto parsed = PrefixTemplate::parse(text);
  REQUIRE_FALSE(parsed);
  return parsed.error();
}

}  // namespace

TEST_CASE("the rank is padded to the world's width") {
  CHECK(ranked(3, 4) == "[3] ");
  CHECK(ranked(3, 11) == "[ 3] ");
  CHECK(ranked(10, 11) == "[10] ");
  CHECK(ranked(0, 10) == "[0] ");
}

TEST_CASE("colour covers the prefix except trailing blanks") {
  CHECK(ranked(3, 4, true) == "\x1b[35m[3]\x1b[0m ");
  CHECK(ranked(9, 11, true) == "\x1b[35m[ 9]\x1b[0m ");
  CHECK(filled(*PrefixTemplate::parse("   "), kFields, true) == "\x1b[35m\x1b[0m   ");
  CHECK(filled(PrefixTemplate(), kFields, true).empty());
}

TEST_CASE("each field has its value, and doubled braces are braces") {
  CHECK(filled("{rank}|{local_rank}|{world_size}|{role}|{attempt}|{stream}|{run_id}") ==
        " 3|1|11|default|2|stderr|night");
  CHECK(filled("{{{rank}}} {{rank}} }}{{") == "{ 3} {rank} }{");
  CHECK(filled("\xc3\xa9 plain") == "\xc3\xa9 plain");
  CHECK(filled("").empty());
}

TEST_CASE("an invalid template is refused with the list of fields") {
  const std::string fields =
      "{rank}, {local_rank}, {world_size}, {role}, {time}, {attempt}, {stream}, {run_id}";
  const std::pair<std::string, std::string> bad[] = {
      {"[{rnk}]", "; '{rnk}' is not a field"},
      {"{}", "; '{}' is not a field"},
      {"{ rank}", "; '{ rank}' is not a field"},
      {"{RANK}", "; '{RANK}' is not a field"},
      {"[{rank", "; it has an unmatched '{'"},
      {"{", "; it has an unmatched '{'"},
      {"rank} ", "; it has an unmatched '}'"},
      {"{rank}}", "; it has an unmatched '}'"},
      {"a\nb", ""},
      {"a\tb", ""},
      {"\x1b[31m", ""},
      {"\xc2\x9b", ""},  // C1
      {std::string(257, 'x'), "; it has 257"},
  };
  for (const auto& [text, why] : bad) {
    CAPTURE(text);
    CHECK(refused(text).find(fields + why) != std::string::npos);
    CHECK(refused(text).ends_with(fields + why));
  }
  CHECK(PrefixTemplate::parse(std::string(256, 'x')));
}

TEST_CASE("elapsed time has one width, and is made anew by refresh alone") {
  const auto parsed = PrefixTemplate::parse("<{time}> ");
  REQUIRE(parsed);
  const Clock::time_point began{};
  Prefix prefix(*parsed, kFields, TimeFormat::elapsed, began, false);
  CHECK(prefix.timed());
  CHECK(prefix.text() == "<    0.000> ");
  prefix.refresh(began + std::chrono::milliseconds(12345));
  CHECK(prefix.text() == "<   12.345> ");
  prefix.refresh(began + std::chrono::milliseconds(99999999));
  CHECK(prefix.text() == "<99999.999> ");
  CHECK(prefix.columns() == 12);

  Prefix fixed(PrefixTemplate::rank(), kFields, TimeFormat::elapsed, began, false);
  CHECK_FALSE(fixed.timed());
  fixed.refresh(began + std::chrono::seconds(1));
  CHECK(fixed.text() == "[ 3] ");
}

TEST_CASE("iso time is RFC 3339 in UTC with milliseconds") {
  const std::regex shape(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
  CHECK(std::regex_match(filled("{time}"), shape));
  CHECK_FALSE(std::regex_match(filled("{time} "), shape));
}

TEST_CASE("columns count characters, not bytes and colours") {
  const auto parsed = PrefixTemplate::parse("\xc3\xa9{rank}\xe2\x94\x82 ");
  REQUIRE(parsed);
  for (const bool colour : {false, true})
    CHECK(Prefix(*parsed, kFields, TimeFormat::iso, {}, colour).columns() == 5);
  CHECK(Prefix().columns() == 0);
}

TEST_CASE("the prefixes of lines on the console and in files") {
  const auto own = [] { return *PrefixTemplate::parse("<{rank}> "); };
  const auto at = [] { return *PrefixTemplate::parse("<{rank} {time}> "); };
  const auto fixed = [](const PrefixTemplate& source) {
    return Prefix(source, kFields, TimeFormat::elapsed, {}, false).text();
  };
  auto start = line_start(false, {}, {});
  CHECK(fixed(start.console) == "[ 3] ");
  CHECK(start.file.empty());
  start = line_start(true, {}, {});
  CHECK(start.console.empty());
  CHECK(start.file.empty());
  start = line_start(false, {}, TimeFormat::elapsed);
  CHECK(start.time == TimeFormat::elapsed);
  CHECK(fixed(start.console) == "    0.000 [ 3] ");
  CHECK(fixed(start.file) == "    0.000 ");
  start = line_start(true, {}, TimeFormat::elapsed);
  CHECK(fixed(start.console) == "    0.000 ");
  CHECK(fixed(start.file) == "    0.000 ");
  start = line_start(false, own(), {});
  CHECK(fixed(start.console) == "< 3> ");
  CHECK(fixed(start.file) == "< 3> ");
  start = line_start(false, own(), TimeFormat::iso);
  CHECK(fixed(start.console) == "    0.000 < 3> ");
  CHECK(fixed(start.file) == "    0.000 < 3> ");
  start = line_start(false, at(), {});
  CHECK(start.time == TimeFormat::iso);
  CHECK(fixed(start.console) == "< 3     0.000> ");
  start = line_start(false, at(), TimeFormat::elapsed);
  CHECK(fixed(start.file) == "< 3     0.000> ");
}

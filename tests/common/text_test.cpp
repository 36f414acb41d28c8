#include "common/join.hpp"
#include "common/parse.hpp"
#include "common/signal_name.hpp"
#include "common/utf8.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <random>

using namespace ddp;
using namespace std::chrono_literals;

TEST_CASE("an integer is read whole, in its range, or refused with the range") {
  CHECK(*parse_integer("x", "0", 0, 9) == 0);
  CHECK(*parse_integer("x", "-3", -5, 9) == -3);
  CHECK(*parse_integer("x", "007", 0, 9) == 7);
  CHECK(*parse_integer("x", "9223372036854775807", INT64_MIN, INT64_MAX) == INT64_MAX);
  for (const char* bad : {"", " 1", "1 ", "+1", "1x", "0x1", "1.0", "10", "-1", "٣",
                          "9223372036854775808", "-9223372036854775809"}) {
    const auto value = parse_integer("--x", bad, 0, 9);
    REQUIRE_FALSE(value);
    CHECK(value.error() == "--x is '" + std::string(bad) + "': expected an integer from 0 to 9");
  }
}

TEST_CASE("a list has its separator between items only") {
  std::string list;
  append_item(list, "a");
  CHECK(list == "a");
  append_item(list, "b");
  append_item(list, "c", "; ");
  CHECK(list == "a, b; c");
}

TEST_CASE("a duration has a unit or is seconds") {
  CHECK(*parse_duration("x", "30") == 30s);
  CHECK(*parse_duration("x", "1.5") == 1500ms);
  CHECK(*parse_duration("x", "1.5s") == 1500ms);
  CHECK(*parse_duration("x", "250ms") == 250ms);
  CHECK(*parse_duration("x", "7us") == 7us);
  CHECK(*parse_duration("x", "10m") == 10min);
  CHECK(*parse_duration("x", "2h") == 2h);
  CHECK(*parse_duration("x", "0") == 0s);
  CHECK(*parse_duration("x", ".5ms") == 500us);
  CHECK(*parse_duration("x", "1.m") == 1min);
  for (const auto duration :
       std::initializer_list<std::chrono::nanoseconds>{0ns, 1ns, 1500us, 1999ms, 90s, 2h})
    CHECK(*parse_duration("x", format_duration(duration)) == duration);
  CHECK(parse_duration("x", "35311110300000.123us")->count() == 35311110300000123);
  CHECK(parse_duration("x", "0.00000000149")->count() == 1);
  CHECK(*parse_duration("x", "87600h") == 87600h);
  for (const char* bad : {"", "s", "-1", "-0.1s", "1 s", "1d", "1S", "1e3", "inf", "nan", "87601h",
                          "1e999", "1..5", "10mm"}) {
    CAPTURE(bad);
    const auto value = parse_duration("--x", bad);
    REQUIRE_FALSE(value);
    CHECK(value.error().starts_with("--x is '" + std::string(bad) + "': expected "));
  }
}

TEST_CASE("UTF-8 is distinguished from what only resembles it") {
  for (const char* good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(is_utf8(good));
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf",
                          "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80", "\xff", "a\xe2\x82"})
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("each byte that is not UTF-8 is replaced, and the rest is kept") {
  CHECK(as_utf8("a\xe2\x82\xac") == "a\xe2\x82\xac");
  CHECK(as_utf8("\xff\xe2\x82z") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
  CHECK(as_utf8("").empty());
}

TEST_CASE("control characters become blanks, one each") {
  CHECK(without_controls("a\tb\x1b[0m\x7f") == "a b [0m ");
  CHECK(without_controls("\xc2\x9b\xc3\xa9") == " \xc3\xa9");
  CHECK(has_control("\xc2\x85"));
  CHECK_FALSE(has_control("\xc2\xa0\xc3\x85"));
}

TEST_CASE("a prefix cuts no character in two") {
  CHECK(utf8_prefix("abc", 2) == "ab");
  CHECK(utf8_prefix("a\xe2\x82\xac", 3) == "a");
  CHECK(utf8_prefix("a\xe2\x82\xac", 4) == "a\xe2\x82\xac");
  CHECK(utf8_prefix("\xf0\x9f\x98\x80", 3).empty());
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    const char* const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (int i = 0; i < 8; ++i) text += characters[random() % 4];
    const std::size_t limit = random() % 24;
    const auto prefix = utf8_prefix(text, limit);
    CHECK(is_utf8(prefix));
    CHECK(prefix.size() <= limit);
    CHECK((prefix.size() + 4 > limit || prefix.size() == text.size()));
  }
}

TEST_CASE("every signal's name is read back as that signal") {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    CAPTURE(signal);
    if (signal > SIGSYS && signal < SIGRTMIN) continue;  // glibc's own
    CHECK(parse_signal(signal_name(signal)) == signal);
    CHECK(parse_signal(std::to_string(signal)) == signal);
  }
  CHECK(signal_name(SIGRTMIN + 1) == "SIGRTMIN+1");
  CHECK(parse_signal("RTMIN+1") == SIGRTMIN + 1);
  for (const char* bad : {"", "SIG", "SIGRTMIN", "SIGRTMIN+", "SIGRTMIN+99", "RTMIN+-1", "0", "65"})
    CHECK_FALSE(parse_signal(bad));
}

// Lines against literals and expressions: what is passed over unseen would have matched nothing.
#include "launcher/diagnosis/line_filter.hpp"
#include "common/faults/line_pattern.hpp"
#include "launcher/diagnosis/built_in.hpp"
#include "launcher/diagnosis/line_matcher.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace ddp;
using namespace ddp::diagnosis;

namespace {

using Lines = std::vector<std::string>;

// Of signatures with one condition each.
std::vector<bool> possible(const std::vector<LineCondition>& conditions, const Lines& lines) {
  std::vector<Signature> signatures;
  for (const auto& one : conditions)
    signatures.push_back({.name = "a", .lines = std::span(&one, 1)});
  return LineFilter(signatures).possible(lines);
}

}  // namespace

TEST_CASE("of the signatures those are possible whose literal is in a line") {
  const std::vector<LineCondition> conditions{
      {"CUDA error", ""}, {"CUDA", "CUDA.*"}, {"NCCL error", ""}, {"end.", ""}};
  CHECK(possible(conditions, {"a CUDA error"}) == std::vector{true, true, false, false});
  CHECK(possible(conditions, {"CUDA", " error", "the end."}) ==
        std::vector{false, true, false, true});
  CHECK(possible(conditions, {"", "CUD", std::string("\0NCCL error\xff", 12)}) ==
        std::vector{false, false, true, false});
  CHECK(possible(conditions, {}) == std::vector{false, false, false, false});
  const std::string spaces(4096 - 4, ' ');
  CHECK(possible(conditions, {spaces + "end."}) == std::vector{false, false, false, true});
  CHECK(possible(conditions, {spaces + " end."}) == std::vector{false, false, false, false});
}

TEST_CASE("without a literal of four bytes a signature is always possible") {
  CHECK(possible({{"", "a*"}, {"abc", ""}, {"abcd", ""}}, {"x"}) == std::vector{true, true, false});
  const std::vector<Signature> without{{.name = "a"}};
  CHECK(LineFilter(without).possible({}) == std::vector{true});
}

TEST_CASE("the literal of an expression is text that each of its lines contains") {
  const auto of = [](std::string_view expression) {
    return LinePattern::required_text(expression);
  };
  CHECK(of("abc") == "abc");
  CHECK(of("ab[cd]efg") == "efg");
  CHECK(of("^a\\(b\\) .*xyz$") == "a(b) ");
  CHECK(of("abc(def|x(y|z))gh") == "abc");
  CHECK(of("ab(cdefg)") == "ab");
  CHECK(of("[][:digit:]|]abc") == "abc");
  CHECK(of("(a|b)") == "");
  // What may be left out, or come in another way, is not required.
  CHECK(of("abc|de") == "");
  CHECK(of("(a)|bcd") == "");
  CHECK(of("abcd*") == "abc");
  CHECK(of("abcd?e") == "abc");
  CHECK(of("abcd{0,12}e") == "abc");
  CHECK(of("abcd+*") == "abc");
  CHECK(of("a\\w+bc\\<d") == "bc");
  CHECK(of("a\xc3\xa9*") == "a");
}

TEST_CASE("whatever an expression is, a line in which it is found contains its literal") {
  std::mt19937 random(7);
  const auto made_of = [&](std::string_view parts, int most) {
    std::string text;
    for (auto left = random() % static_cast<unsigned>(most); left > 0; --left)
      text += parts[random() % parts.size()];
    return text;
  };
  int found = 0;
  int with_literal = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto expression = made_of("abcabcabc()()[]|*+?{1}.^$\\w", 10);
    CAPTURE(expression);
    const auto pattern = LinePattern::compile(expression);
    if (!pattern) continue;
    const auto literal = LinePattern::required_text(expression);
    if (!literal.empty()) ++with_literal;
    for (int line = 0; line < 8; ++line) {
      const auto text = made_of("abcabcabc()[]{}1w+", 12);
      if (!pattern->found_in(text)) continue;
      CAPTURE(text);
      CHECK(text.find(literal) != std::string::npos);
      if (!literal.empty()) ++found;
    }
  }
  CHECK(with_literal > 1000);
  CHECK(found > 1000);
}

TEST_CASE("each condition of a built-in signature has a literal by which it is filtered") {
  for (const auto& one : built_in_signatures()) {
    CAPTURE(one.name);
    for (const auto& condition : one.lines) CHECK(condition.literal.size() >= 4);
    for (const auto& condition : one.kernel) CHECK(condition.literal.size() >= 4);
  }
}

TEST_CASE("a line matches by its literal, and where there is an expression by that too") {
  const std::vector<LineCondition> conditions{{"gone", "ost [0-9]+ gone"}, {"evicted", ""}};
  LineMatcher matcher(conditions);
  CHECK(matcher.found_in("ost 12 gone"));
  CHECK(matcher.found_in("was evicted"));
  CHECK_FALSE(matcher.found_in("ost gone"));
  CHECK_FALSE(matcher.found_in(""));
  CHECK_FALSE(matcher.found_in(std::string(4096, ' ') + "evicted"));
}

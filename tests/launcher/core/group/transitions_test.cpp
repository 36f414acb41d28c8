#include "launcher/core/group/transitions.hpp"

#include "tests/launcher/core/documentation.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string_view>
#include <utility>

namespace {

using namespace ddp::core;

}  // namespace

TEST_CASE("the table has each pair of phases once, and a reason") {
  std::set<std::pair<Phase, Phase>> pairs;
  for (const auto& [from, to, why] : transitions()) {
    CHECK(from != to);
    CHECK(pairs.insert({from, to}).second);
    CHECK(std::string_view(why).size() > 3);
    CHECK(std::string_view(why).find_first_of(";#") == std::string_view::npos);
    CHECK(is_transition(from, to));
  }
  CHECK_FALSE(is_transition(Phase::idle, Phase::running));
  CHECK_FALSE(is_transition(Phase::finished, Phase::launching));
}

TEST_CASE("docs/design.md shows the table of transitions") {
  const auto shown =
      ddp::test::block(ddp::test::read(DDP_SOURCE_DIR "/docs/design.md"), "group transitions");
  REQUIRE_MESSAGE(shown, "docs/design.md lacks <!-- group transitions --> and its end");
  INFO(
      "replace the lines between <!-- group transitions --> and <!-- end of group transitions -->");
  INFO("in docs/design.md by:\n" << transitions_markdown());
  CHECK(*shown == transitions_markdown());
}

TEST_CASE("a page that differs from the table in one line is noticed") {
  std::string page = "<!-- group transitions -->\n" + transitions_markdown() +
                     "<!-- end of group transitions -->\n";
  CHECK(ddp::test::block(page, "group transitions") == transitions_markdown());
  const std::string row = "  idle --> finished: stop request\n";
  REQUIRE(page.find(row) != std::string::npos);
  page.erase(page.find(row), row.size());
  CHECK(ddp::test::block(page, "group transitions") != transitions_markdown());
  CHECK_FALSE(ddp::test::block(page, "exit codes"));
}

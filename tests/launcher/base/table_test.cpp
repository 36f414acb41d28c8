#include "launcher/base/table.hpp"

#include <doctest/doctest.h>

using namespace ddp;

using Lines = std::vector<std::string>;

TEST_CASE("columns are as wide as their widest cell") {
  CHECK(aligned_rows({{"a", "long one", "x"}, {"bcd", "e", ""}}) ==
        Lines{"a    long one  x", "bcd  e"});
}

TEST_CASE("figures are aligned to the right") {
  CHECK(aligned_rows({{"name", "n", "rest"}, {"b", "100", "-"}}, {Align::left, Align::right}) ==
        Lines{"name    n  rest", "b     100  -"});
}

TEST_CASE("a character of several bytes takes one place") {
  CHECK(aligned_rows({{"é", "1"}, {"ab", "2"}}) == Lines{"é   1", "ab  2"});
}

TEST_CASE("no rows make no lines") { CHECK(aligned_rows({}).empty()); }

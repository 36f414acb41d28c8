#include "launcher/base/toml.hpp"

#include <doctest/doctest.h>

using namespace ddp;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_toml(text, "f.toml");
  return parsed ? std::string() : parsed.error();
}

}  // namespace

TEST_CASE("a TOML error names the file, the line and the column") {
  CHECK(error_of("a = 1\n").empty());
  CHECK(error_of("a = 1\nb = \n").starts_with("f.toml:2:"));
  CHECK(error_of("a = \"x\\u0000y\"\n") == "f.toml:1:5: a NUL character in a string");
}

TEST_CASE("text on which toml++ fails an assert is an error with its line") {
  CHECK(error_of("a = 1\n[.\n").starts_with("f.toml:2: "));
  CHECK(error_of("a = 1\n\n[\n").starts_with("f.toml:3: "));
}

TEST_CASE("a letter beyond ASCII outside a string is an error") {
  CHECK(error_of("é = 1\n").starts_with("f.toml:1:"));
}

TEST_CASE("a place in a TOML file is path:line:column") {
  const auto parsed = parse_toml("a = 1\n  b = 2\n", "dir/f.toml");
  REQUIRE(parsed);
  CHECK(toml_place("dir/f.toml", parsed->get("b")->source().begin) == "dir/f.toml:2:7: ");
}

TEST_CASE("a TOML scalar reads as on the command line") {
  const auto parsed =
      parse_toml("s = 'two words'\ni = -7\nf = 0.1\nw = 2.0\nb = true\na = [1]\n", "");
  REQUIRE(parsed);
  const auto text = [&](const char* key) { return toml_scalar_text(*parsed->get(key)); };
  CHECK(text("s") == "two words");
  CHECK(text("i") == "-7");
  CHECK(text("f") == "0.1");
  CHECK(text("w") == "2");
  CHECK_FALSE(text("b"));
  CHECK_FALSE(text("a"));
}

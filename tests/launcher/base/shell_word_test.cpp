#include "launcher/base/shell_word.hpp"

#include <doctest/doctest.h>

using namespace ddp;

TEST_CASE("a word is quoted where a shell needs it") {
  CHECK(shell_word("--steps=100") == "--steps=100");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("two words") == "'two words'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("a\x1b[1mb") == "'a [1mb'");
}

TEST_CASE("a word for a shell to run keeps every byte") {
  CHECK(shell_quoted("plain") == "'plain'");
  CHECK(shell_quoted("it's") == "'it'\\''s'");
  CHECK(shell_quoted("a\nb") == "'a\nb'");
}

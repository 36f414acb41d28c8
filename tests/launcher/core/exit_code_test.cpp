#include "launcher/core/exit_code.hpp"

#include "tests/launcher/core/documentation.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <set>
#include <string>

namespace {

using namespace ddp::core;

bool is_in_table(int code) {
  for (const auto& row : exit_code_table()) {
    if (row.code == std::to_string(code)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the table has each code once") {
  std::set<std::string> codes;
  for (const auto& row : exit_code_table()) CHECK(codes.insert(row.code).second);
  for (const int code : {kSuccess, kUsage, kLauncherFault, kSystemRefused, kHung,
                         kExpectationFailed, kUnkillable, kNotExecutable, kNotFound})
    CHECK(is_in_table(code));
}

TEST_CASE("a worker's status and a refused start have an exit code") {
  CHECK(exit_code_of(ExitStatus(Exited{3})) == 3);
  CHECK(exit_code_of(ExitStatus(Signaled{SIGSEGV})) == 139);
  CHECK(exit_code_of(SpawnError{SpawnStage::exec, ENOENT}) == kNotFound);
  CHECK(exit_code_of(SpawnError{SpawnStage::exec, EACCES}) == kNotExecutable);
  CHECK(exit_code_of(SpawnError{SpawnStage::exec, ENOMEM}) == kSystemRefused);
  CHECK(exit_code_of(SpawnError{SpawnStage::fork, ENOENT}) == kSystemRefused);
}

TEST_CASE("README.md and docs/ show the table of exit codes") {
  const auto shown = ddp::test::blocks(DDP_SOURCE_DIR, "exit codes");
  REQUIRE_MESSAGE(!shown.empty(), "no page has <!-- exit codes --> and its end");
  for (const auto& [file, text] : shown) {
    INFO("replace the lines between <!-- exit codes --> and <!-- end of exit codes --> in "
         << file << " by:\n"
         << exit_codes_markdown());
    CHECK(text == exit_codes_markdown());
  }
}

TEST_CASE("a page that differs from the table in one word is noticed") {
  std::string page = "<!-- exit codes -->\n" + exit_codes_markdown() + "<!-- end of exit codes -->";
  CHECK(ddp::test::block(page, "exit codes") == exit_codes_markdown());
  page.replace(page.find("disk"), 4, "file");
  CHECK(ddp::test::block(page, "exit codes") != exit_codes_markdown());
}

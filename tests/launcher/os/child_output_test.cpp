#include "launcher/os/child_output.hpp"

#include <doctest/doctest.h>

namespace {

using namespace ddp::os;
using namespace std::chrono_literals;

ChildOutput run_script(const std::string& script, bool with_stderr) {
  SpawnRequest request;
  request.program = "/bin/sh";
  request.arguments = {"-c", script};
  request.environment = {"PATH=/usr/bin:/bin"};
  return run_and_read(std::move(request), 30s, with_stderr);
}

}  // namespace

TEST_CASE("a child's output and error output are read separately") {
  const auto both = run_script("echo warning >&2; echo answer; echo more >&2; exit 3", true);
  CHECK(both.end == ChildOutput::End::exited);
  CHECK(both.code == 3);
  CHECK(both.text == "answer\n");
  CHECK(both.errors == "warning\nmore\n");
  const auto alone = run_script("echo warning >&2; echo answer", false);
  CHECK(alone.text == "answer\n");
  CHECK(alone.errors == "");
}

TEST_CASE("a child that fills one stream first is read to its exit, and 1 MiB is kept") {
  const auto output =
      run_script("head -c 2000000 /dev/zero >&2; head -c 2000000 /dev/zero; echo late >&2", true);
  CHECK(output.end == ChildOutput::End::exited);
  CHECK(output.code == 0);
  CHECK(output.text.size() == 1 << 20);
  CHECK(output.errors.size() == 1 << 20);
}

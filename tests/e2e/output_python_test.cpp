// What Python programs show under ddp-launch: their last lines, their prompts, their mistakes.
#include "tests/e2e/launch.hpp"

#include <signal.h>

using namespace ddp::test;

namespace {

Words python(const std::string& program) { return {"python3", "-c", program}; }

const char* const kPrintsAndDies =
    "import os\n"
    "for i in range(21): print('line', i)\n"
    "os.kill(os.getpid(), 9)\n";

}  // namespace

TEST_CASE("the last lines of a Python rank that is killed are shown, and are the verdict's tail") {
  Scene scene;
  const auto run = scene.run({"--nproc", "1"}, python(kPrintsAndDies));
  CHECK(run.status == Status{.code = 128 + SIGKILL});
  Words expected;
  for (int i = 0; i < 21; ++i) expected.push_back("line " + std::to_string(i));
  CHECK(by_rank(run.out)[0] == expected);
  CHECK(contains(run.err, "  | line 19\n  | line 20\n"));

  // The negative control: with Python's buffer, which an empty value keeps, all is lost.
  scene.env["PYTHONUNBUFFERED"] = "";
  const auto buffered = scene.run({"--nproc", "1"}, python(kPrintsAndDies));
  CHECK(buffered.status == Status{.code = 128 + SIGKILL});
  CHECK(buffered.out == "");
  CHECK_FALSE(contains(buffered.err, "line 20"));
}

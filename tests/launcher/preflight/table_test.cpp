#include "launcher/preflight/table.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

using namespace ddp;
using Level = core::Finding::Level;

TEST_CASE("the table of --preflight fits into 80 columns") {
  const core::Finding findings[] = {
      {"shared memory", "64 MiB free in /dev/shm", "1 GiB: 256 MiB for each rank",
       "data loaders of PyTorch and NCCL share memory there; in Docker, start the container with "
       "--shm-size or --ipc=host",
       Level::warn, true},
      {"open files", "4096 for each rank", "1024", "", Level::ok, false},
      {"log directory", "0 bytes free at /a-directory-with-a-long-name/and-another-one",
       "1 GiB free", "free some space", Level::refuse, true},
  };
  CHECK(preflight_table(findings) ==
        R"(check               result   found                      wanted
shared memory       warning  64 MiB free in /dev/shm    1 GiB: 256 MiB for each
                                                        rank
                    data loaders of PyTorch and NCCL share memory there; in
                    Docker, start the container with --shm-size or --ipc=host
open files          ok       4096 for each rank         1024
log directory       refused  0 bytes free at            1 GiB free
                             /a-directory-with-a-long-
                             name/and-another-one
                    free some space

1 ok, 1 warning, 1 refused; nothing was started
)");
  std::istringstream lines(preflight_table(findings));
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 80);
}

TEST_CASE("--preflight exits with 71 where a finding refuses, and for that alone") {
  const core::Finding ok{"a", "b", "c", "", Level::ok, false};
  const core::Finding warn{"a", "b", "c", "d", Level::warn, true};
  const core::Finding refuse{"a", "b", "c", "d", Level::refuse, true};
  using List = std::vector<core::Finding>;
  CHECK(preflight_exit_code(List{}) == 0);
  CHECK(preflight_exit_code(List{ok, warn}) == 0);
  CHECK(preflight_exit_code(List{ok, refuse, warn}) == 71);
}

TEST_CASE("a launch warns in one line") {
  CHECK(preflight_line({"memory", "1 GiB", "2 GiB", "start fewer ranks", Level::warn, true}) ==
        "memory: 1 GiB, expected 2 GiB; start fewer ranks");
}

// The kernel's log and the state of file systems, as a diagnosis reads them.
#include "launcher/os/kernel_log.hpp"
#include "launcher/os/file_system.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <fstream>

using namespace ddp;
using Lines = std::vector<std::string>;

TEST_CASE("of the kernel's log the lines since a time are kept, without level and time") {
  constexpr std::string_view kLog =
      "id torn off at the start\n"
      "<6>[    9.999999] too old\n"
      "<6>[   10.000000] NVRM: Xid (PCI:0000:3b:00): 79, gone\n"
      "<14>[42687.675884] a[1]: segfault at 0\n"
      "<6>no time\n<>[11.0] x\n<6>[99999999999999.1] y\n<6>[12.5\n\n<6>[13.000001]";
  CHECK(os::kernel_lines(kLog, std::chrono::seconds(10)) ==
        Lines{"NVRM: Xid (PCI:0000:3b:00): 79, gone", "a[1]: segfault at 0", ""});
  CHECK(os::kernel_lines("", {}).empty());
}

TEST_CASE("the kernel's log can be asked whether or not that is permitted") {
  const auto now = std::chrono::steady_clock::now();
  CHECK(os::kernel_log_since(now + std::chrono::hours(1000)).empty());
  os::kernel_log_since({});
}

TEST_CASE("a file system's space is read, and a path that is not there has none") {
  const auto space = os::space_of("/");
  REQUIRE(space);
  CHECK(space->size > 0);
  CHECK(space->free <= space->size);
  CHECK_FALSE(os::space_of("/nowhere/at/all"));
}

TEST_CASE("memory and disks are local, and what is not known to be is not") {
  CHECK(os::is_local("/dev/shm"));
  CHECK_FALSE(os::is_local("/proc"));  // it stands for what may not answer
  CHECK_FALSE(os::is_local("/nowhere/at/all"));
}

TEST_CASE("a first line that ends in CRLF is seen, and nothing waits for a FIFO") {
  const auto dir = test::make_temp_dir();
  const auto ends = [&](const std::string& text) {
    const std::string path = (dir / "script").string();
    std::ofstream(path) << text;
    return os::first_line_ends_in_crlf(path);
  };
  CHECK(ends("#!/bin/sh\r\necho\n"));
  CHECK_FALSE(ends("#!/bin/sh\necho\r\n"));
  CHECK_FALSE(ends("\n"));
  CHECK_FALSE(ends(""));
  CHECK_FALSE(ends(std::string(300, 'a') + "\r\n"));
  CHECK_FALSE(os::first_line_ends_in_crlf("/nowhere"));
  const std::string fifo = (dir / "fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_FALSE(os::first_line_ends_in_crlf(fifo));
}

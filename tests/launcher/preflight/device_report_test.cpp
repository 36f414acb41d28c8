#include "launcher/preflight/device_report.hpp"

#include <doctest/doctest.h>

using namespace ddp;

namespace {

constexpr const char* kText =
    "ddp-devices 1\n"
    "device 0 GPU-aa used 1000 of 85899345920\n"
    "process 0 71 400\n"
    "process 0 72 0\n"
    "device 3 GPU-bb used 0 of 85899345920\n"
    "end\n";

}  // namespace

TEST_CASE("a report is read as it is written") {
  const auto report = parse_device_report(kText);
  REQUIRE(report);
  REQUIRE(report->size() == 2);
  CHECK((*report)[0].uuid == "GPU-aa");
  CHECK((*report)[0].used == 1000);
  REQUIRE((*report)[0].users.size() == 2);
  CHECK((*report)[0].users[1].pid == 72);
  CHECK((*report)[1].index == 3);
  CHECK((*report)[1].users.empty());
  CHECK(device_report_text(*report) == kText);
  CHECK(parse_device_report("ddp-devices 1\nend\n"));
}

TEST_CASE("anything else is refused, also a report that was cut off") {
  const std::string head = "ddp-devices 1\n";
  const std::string device = "device 0 GPU-aa used 1 of 2\n";
  for (const std::string& text :
       {std::string(), std::string("ddp-devices 2\nend\n"), head, head + device,
        head + device + "end", head + device + device + "end\n",
        head + device + "process 1 7 3\nend\n", head + "process 0 7 3\nend\n",
        head + device + "process 0 -7 3\nend\n", head + device + "process 0 7 3 4\nend\n",
        head + "device 0 GPU-aa used 1 of two\nend\n", head + "device 0  used 1 of 2\nend\n",
        head + "\nend\n", head + "end\nend\n"}) {
    CAPTURE(text);
    const auto report = parse_device_report(text);
    CHECK_FALSE(report);
    CHECK(report.error().starts_with("ddp-devices printed '"));
  }
}

#include "launcher/placement/topology.hpp"

#include <doctest/doctest.h>

using namespace ddp;

TEST_CASE("a topology is read back as it was written") {
  const Topology topology{.cpus = {{0, 0, -1, 0, 0}, {12, 7, 3, 1, 1}},
                          .devices = {{"0000:3b:00.0", 1}, {"0001:00:00.0", -1}},
                          .here = false};
  const std::string text = topology_text(topology);
  CHECK(text ==
        "ddp-topology 1 elsewhere\n"
        "cpu 0 core 0 cache -1 node 0 package 0\n"
        "cpu 12 core 7 cache 3 node 1 package 1\n"
        "pci 0000:3b:00.0 node 1\n"
        "pci 0001:00:00.0 node -1\n");
  const auto read = parse_topology(text);
  REQUIRE(read);
  CHECK(topology_text(*read) == text);
}

TEST_CASE("another text is refused by its first wrong line") {
  const std::string head = "ddp-topology 1 here\n";
  const std::string cpu = "cpu 0 core 0 cache 0 node 0 package 0\n";
  CHECK(parse_topology(head + cpu));
  const std::pair<std::string, std::string> wrong[] = {
      {"", ""},
      {"ddp-topology 2 here\n" + cpu, "ddp-topology 2 here"},
      {"ddp-topology 1 there\n" + cpu, "ddp-topology 1 there"},
      {head, "no CPU"},
      {head + cpu + cpu, "cpu 0 core 0 cache 0 node 0 package 0"},
      {head + "cpu -1 core 0 cache 0 node 0 package 0\n", "cpu -1 core 0 cache 0 node 0 package 0"},
      {head + "cpu 0 core 0 cache 0 node 0\n", "cpu 0 core 0 cache 0 node 0"},
      {head + "cpu 0 core 0 cache 0 node 0 package 0 more\n",
       "cpu 0 core 0 cache 0 node 0 package 0 more"},
      {head + "cpu 0 core 99999999999 cache 0 node 0 package 0\n",
       "cpu 0 core 99999999999 cache 0 node 0 package 0"},
      {head + "pci node 0\n", "pci node 0"},
      {head + cpu + "gpu 0\n", "gpu 0"},
      {head + cpu + "\n", ""},
  };
  for (const auto& [text, line] : wrong) {
    CAPTURE(text);
    const auto read = parse_topology(text);
    REQUIRE_FALSE(read);
    CHECK(read.error() ==
          "ddp-topology printed '" + line + "', which this ddp-launch does not read");
  }
}

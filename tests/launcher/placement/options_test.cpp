#include "launcher/placement/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;

TEST_CASE("--bind and torchrun's --numa-binding name the same bindings") {
  const FakeMachine machine;
  CHECK(machine.good({}).placement.binding == Binding::none);
  CHECK_FALSE(machine.good({}).placement.report);
  CHECK(machine.good({"--report-bindings"}).placement.report);
  const std::pair<const char*, Binding> names[] = {
      {"none", Binding::none}, {"core", Binding::core},     {"l3", Binding::l3},
      {"numa", Binding::numa}, {"socket", Binding::socket}, {"exclusive", Binding::exclusive}};
  for (const auto& [name, binding] : names)
    CHECK(machine.good({"--bind", name}).placement.binding == binding);
  const std::pair<const char*, Binding> torchruns[] = {{"node", Binding::numa},
                                                       {"socket", Binding::socket},
                                                       {"exclusive", Binding::exclusive},
                                                       {"core-complex", Binding::l3}};
  for (const auto& [name, binding] : torchruns) {
    const Options options = machine.good({"--numa-binding", name});
    CHECK(options.placement.binding == binding);
    CHECK(options.placement.name == std::string("--numa-binding ") + name);
  }
  CHECK(machine.good({"--bind", "numa", "--numa-binding", "node"}).placement.name == "--bind numa");
}

TEST_CASE("a wrong binding, or two that differ, are refused in one line") {
  const FakeMachine machine;
  CHECK(machine.refused({"--bind", "node"}) ==
        "--bind is 'node': expected none, core, l3, numa, socket or exclusive");
  CHECK(machine.refused({"--numa-binding", "numa"}) ==
        "--numa-binding is 'numa': expected node, socket, exclusive or core-complex");
  CHECK(machine.refused({"--bind", "core", "--numa-binding", "node"}) ==
        "--numa-binding is 'node': expected what --bind says, which is 'core'; one of the two is "
        "enough");
  CHECK(machine.refused({"--bind", "none", "--numa-binding", "node"}) != "accepted");
}

#include "launcher/cli/pet_variables.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using Words = std::vector<std::string>;

TEST_CASE("PET_ variables are those of the environment that begin so") {
  const char* const environment[] = {"HOME=/", "PET_NNODES=2",  "PETER=1", "PET_LOG_DIR=a=b",
                                     "PET_",   "XPET_NNODES=3", nullptr};
  CHECK(pet_variables(environment) == PetVariables{{"PET_LOG_DIR", "a=b"}, {"PET_NNODES", "2"}});
}

TEST_CASE("a PET_ variable is a default: the file wins over it, the command line over both") {
  FakeMachine machine;
  machine.pet = {{"PET_NPROC_PER_NODE", "4"}, {"PET_MAX_RESTARTS", "3"}, {"PET_STANDALONE", "1"}};
  CHECK(machine.good({}).ranks.nproc == 4);
  CHECK(machine.good({}).group.restart.max_restarts == 3);
  machine.file("run.toml", "nproc = 2\n");
  const std::string config = machine.root / "run.toml";
  CHECK(machine.good({"--config", config}).ranks.nproc == 2);
  CHECK(machine.good({"--config", config}).group.restart.max_restarts == 3);
  CHECK(machine.good({"--config", config, "--nproc_per_node=5"}).ranks.nproc == 5);
}

TEST_CASE("a flag overrules PET_ variables that say the same in other words") {
  FakeMachine machine;
  machine.pet = {{"PET_NNODES", "2"},
                 {"PET_NODE_RANK", "1"},
                 {"PET_MASTER_ADDR", "h0"},
                 {"PET_NO_PYTHON", "1"}};
  CHECK(machine.good({"--standalone"}).ranks.nnodes == 1);
  CHECK(machine.good({"--nnodes", "1"}).ranks.node_rank == 0);
  CHECK(machine.good({"--rdzv-endpoint", "h1:1", "--rdzv-backend", "static"})
            .rendezvous.master_addr == "h1");
  CHECK(machine.good({"-m"}).program_kind == ProgramKind::module);
  CHECK(machine.good({}).ranks.node_rank == 1);
  CHECK(machine.good({"--nnodes", "3"}).ranks.node_rank == 1);
  CHECK(machine.good({"--master-port", "7"}).rendezvous.master_addr == "h0");
}

TEST_CASE("a bad PET_ variable is refused by its name; an empty one is none") {
  FakeMachine machine;
  machine.pet = {{"PET_NNODES", "1:4"}};
  CHECK(machine.refused({}) ==
        "PET_NNODES is '1:4': expected a fixed number of machines, such as 4; ddp-launch has no "
        "elastic rendezvous");
  CHECK(machine.good({"--nnodes", "1"}).ranks.nnodes == 1);
  machine.pet = {{"PET_STANDALONE", "yes"}};
  CHECK(machine.refused({}) == "PET_STANDALONE is 'yes': expected 1 or 0");
  machine.pet = {{"PET_NPROC", "2"}, {"PET_NPROC_PER_NODE", "3"}};
  CHECK(machine.refused({}) ==
        "PET_NPROC and PET_NPROC_PER_NODE set the same option: expected one of them");
  machine.pet = {{"PET_NPROC", ""}};
  CHECK(machine.good({}).ranks.nproc == 1);
}

TEST_CASE("a PET_ variable that names no option is reported and ignored") {
  FakeMachine machine;
  machine.pet = {{"PET_CONFIG", "x.toml"}, {"PET_NPROC_PERNODE", "2"}, {"PET_SOMETHING", "1"}};
  const Options options = machine.good({});
  CHECK(options.ranks.nproc == 1);
  CHECK(options.warnings ==
        Words{"PET_CONFIG names no option that can be set by a variable, and is ignored",
              "PET_NPROC_PERNODE names no option that can be set by a variable, and is ignored "
              "(did you mean PET_NPROC_PER_NODE?)",
              "PET_SOMETHING names no option that can be set by a variable, and is ignored"});
}

#include "common/client/worker_env.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

namespace {

using Vars = std::map<std::string, std::string>;

ddp::Result<ddp::WorkerEnv> read(const Vars& vars) {
  return ddp::read_worker_env([&](const char* name) -> const char* {
    const auto it = vars.find(name);
    return it == vars.end() ? nullptr : it->second.c_str();
  });
}

const Vars kGood{{"RANK", "3"},
                 {"LOCAL_RANK", "1"},
                 {"WORLD_SIZE", "4"},
                 {"LOCAL_WORLD_SIZE", "2"},
                 {"MASTER_ADDR", "127.0.0.1"},
                 {"MASTER_PORT", "29500"}};

std::string refusal(Vars vars) {
  const auto env = read(vars);
  return env ? "accepted" : env.error();
}

}  // namespace

TEST_CASE("without a launcher the world is one worker") {
  const auto env = read({});
  REQUIRE(env);
  CHECK_FALSE(env->launched);
  CHECK(env->world_size == 1);
  CHECK(env->rank == 0);
}

TEST_CASE("a complete environment is read") {
  const auto env = read(kGood);
  REQUIRE(env);
  CHECK(env->launched);
  CHECK(env->rank == 3);
  CHECK(env->local_rank == 1);
  CHECK(env->world_size == 4);
  CHECK(env->local_world_size == 2);
  CHECK(env->master_addr == "127.0.0.1");
  CHECK(env->master_port == 29500);
}

TEST_CASE("LOCAL_RANK defaults to 0") {
  Vars vars = kGood;
  vars.erase("LOCAL_RANK");
  const auto env = read(vars);
  REQUIRE(env);
  CHECK(env->local_rank == 0);
}

TEST_CASE("what is missing, malformed or contradictory is named") {
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    Vars vars = kGood;
    vars.erase(name);
    CHECK(refusal(vars).find(name) == 0);
  }
  const std::pair<const char*, const char*> bad[] = {{"RANK", "x"},
                                                     {"RANK", "-1"},
                                                     {"RANK", "4"},
                                                     {"RANK", "1 "},
                                                     {"WORLD_SIZE", "0"},
                                                     {"WORLD_SIZE", ""},
                                                     {"MASTER_PORT", "0"},
                                                     {"MASTER_PORT", "65536"},
                                                     {"LOCAL_RANK", "two"},
                                                     {"LOCAL_RANK", "2"},
                                                     {"LOCAL_WORLD_SIZE", "5"},
                                                     {"RANK", "99999999999999999999"},
                                                     {"TORCHELASTIC_RESTART_COUNT", "many"}};
  for (const auto& [name, value] : bad) {
    Vars vars = kGood;
    vars[name] = value;
    CAPTURE(value);
    CHECK(refusal(vars).find(name) == 0);
  }
}

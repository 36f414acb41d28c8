#include "launcher/report/shared_memory_message.hpp"
#include "launcher/core/shared_memory.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using core::CleanSharedMemory;
using core::Segment;
using core::SegmentProof;
using Lines = std::vector<std::string>;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

Segment proven(const std::string& name, std::uint64_t bytes = 64 * kMiB, int rank = 1) {
  return {.path = "/dev/shm/" + name,
          .bytes = bytes,
          .rank = rank,
          .proof = SegmentProof::seen,
          .generated_name = core::is_generated_name(name)};
}
Segment unproven(const std::string& name, std::uint64_t bytes = 64 * kMiB) {
  auto segment = proven(name, bytes);
  segment.rank.reset();
  segment.proof = SegmentProof::none;
  return segment;
}

}  // namespace

TEST_CASE("names that libraries generate are recognised exactly") {
  for (const char* name :
       {"psm_1a2b3c4d", "sem.mp-k3_x9z01", "pym-4711-k3_x9z01", "torch_4711_3894721_0",
        "torch_4711_3894721", "nccl-aB3dE9", "cuda.shm.0.1a2b.1"}) {
    CAPTURE(name);
    CHECK(core::is_generated_name(name));
  }
  for (const char* name : {"",
                           "psm_",
                           "psm_1a2b3c4",
                           "psm_1a2b3c4d5",
                           "psm_1A2B3C4D",
                           "psm_checkpnt",
                           "xpsm_1a2b3c4d",
                           "sem.mp-",
                           "sem.mp-k3_x9z0",
                           "sem.mp-K3_X9Z01",
                           "sem.train",
                           "pym--k3_x9z01",
                           "pym-4711-",
                           "pym-x-k3_x9z01",
                           "pym-4711",
                           "torch_",
                           "torch_4711",
                           "torch_4711_",
                           "torch_4711_3_0_1",
                           "torch_checkpoint_3",
                           "torch_4711_last",
                           "nccl-",
                           "nccl-aB3dE",
                           "nccl-aB3d-9",
                           "cuda.shm.0.1",
                           "cuda.shm.0.x.1",
                           "checkpoint",
                           "model_0"}) {
    CAPTURE(name);
    CHECK_FALSE(core::is_generated_name(name));
  }
}

TEST_CASE("the pid in a name is found") {
  CHECK(core::pid_in_name("torch_4711_3894721_0") == 4711);
  CHECK(core::pid_in_name("pym-12-k3_x9z01") == 12);
  CHECK_FALSE(core::pid_in_name("torch_99999999999_1_0"));
  CHECK_FALSE(core::pid_in_name("torch_0_1_0"));
  CHECK_FALSE(core::pid_in_name("torch_4711"));
  CHECK_FALSE(core::pid_in_name("psm_12345678"));
  CHECK_FALSE(core::pid_in_name("nccl-123456"));
}

TEST_CASE("only proven segments are removed, program-chosen names only on request") {
  const std::pair<Segment, std::vector<bool>> cases[] = {
      {proven("psm_1a2b3c4d"), {false, true, true}},
      {proven("checkpoint"), {false, false, true}},
      {unproven("psm_1a2b3c4d"), {false, false, false}},
      {unproven("checkpoint"), {false, false, false}},
  };
  for (const auto& [segment, removed] : cases) {
    CAPTURE(segment.path);
    CHECK(core::is_to_be_removed(segment, CleanSharedMemory::none) == removed[0]);
    CHECK(core::is_to_be_removed(segment, CleanSharedMemory::generated) == removed[1]);
    CHECK(core::is_to_be_removed(segment, CleanSharedMemory::all) == removed[2]);
  }
  auto broken = proven("psm_1a2b3c4d");
  broken.rank.reset();
  CHECK_FALSE(core::is_to_be_removed(broken, CleanSharedMemory::all));
}

TEST_CASE("the report names owner, size, path and outcome of each segment") {
  CHECK(shared_memory_lines({}, CleanSharedMemory::generated, {0}).empty());
  CHECK(
      shared_memory_lines({{.segment = proven("psm_1a2b3c4d"), .removed = true},
                           {.segment = proven("checkpoint", 4096, 0)},
                           {.segment = unproven("x", 0)},
                           {.segment = proven("nccl-aB3dE9"), .failure = "Permission denied"}},
                          CleanSharedMemory::generated, {4}) ==
      Lines{"rank 5 left 64 MiB of shared memory in /dev/shm/psm_1a2b3c4d; removed",
            "rank 4 left 4 KiB of shared memory in /dev/shm/checkpoint; kept, because the program "
            "chose its name (--clean-shm all removes it)",
            "0 bytes of shared memory in /dev/shm/x appeared during this attempt and no process "
            "uses it; kept, because its owner is unknown",
            "rank 5 left 64 MiB of shared memory in /dev/shm/nccl-aB3dE9; could not be removed: "
            "Permission denied"});
  CHECK(shared_memory_lines({{.segment = proven("psm_1a2b3c4d")}}, CleanSharedMemory::none, {0}) ==
        Lines{"rank 1 left 64 MiB of shared memory in /dev/shm/psm_1a2b3c4d; kept "
              "(--clean-shm none)"});
  CHECK(shared_memory_lines({{.segment = unproven("a\nb")}}, CleanSharedMemory::none, {0})[0].find(
            '\n') == std::string::npos);
}

TEST_CASE("per outcome the largest segments are named and the rest is summed up") {
  std::vector<core::ReportedSegment> many;
  for (std::uint64_t i = 1; i <= 15; ++i)
    many.push_back(
        {.segment = proven("psm_0000000" + std::to_string(i % 10), i * kMiB), .removed = true});
  many.push_back({.segment = unproven("x")});
  const auto lines = shared_memory_lines(many, CleanSharedMemory::generated, {0});
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "rank 1 left 15 MiB of shared memory in /dev/shm/psm_00000005; removed");
  CHECK(lines[2] == "rank 1 left 13 MiB of shared memory in /dev/shm/psm_00000003; removed");
  CHECK(lines[3] == "and 12 more, 78 MiB; removed");
  CHECK(lines[4].find("/dev/shm/x appeared") != std::string::npos);
  // One more than are named is named too.
  many.resize(4);
  CHECK(shared_memory_lines(many, CleanSharedMemory::generated, {0}).size() == 4);
  many.push_back(many.back());
  CHECK(shared_memory_lines(many, CleanSharedMemory::generated, {0}).back() ==
        "and 2 more, 3 MiB; removed");
}

// Which device a rank takes, and why the GPU cannot be used.
#include "worker/base/failure.hpp"
#include "worker/gpu/diagnosis.hpp"
#include "worker/gpu/load.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace ddp::worker;

namespace {

ddp::WorkerEnv local(int rank) {
  ddp::WorkerEnv env;
  env.local_rank = rank;
  return env;
}

// An environment of these variables alone.
ddp::GetEnv of(const std::map<std::string, std::string>& set) {
  return [set](const char* name) {
    const auto at = set.find(name);
    return at == set.end() ? nullptr : at->second.c_str();
  };
}

}  // namespace

TEST_CASE("a rank takes the device of its local rank; more ranks than devices is an error") {
  CHECK(choose_device(local(0), 2, false) == 0);
  CHECK(choose_device(local(1), 2, false) == 1);
  std::string text;
  try {
    choose_device(local(2), 2, false);
  } catch (const UsageError& error) {
    text = error.what();
  }
  CHECK(text ==
        "LOCAL_RANK is 2: expected 0 to 1, because there are 2 devices here; start as many ranks "
        "as devices, or ddp-launch with --oversubscribe");
}

TEST_CASE("ranks that share devices go round them") {
  for (int rank = 0; rank < 8; ++rank) CHECK(choose_device(local(rank), 3, true) == rank % 3);
  CHECK(devices_are_shared(of({{"NCCL_HOSTID", "1"}})));
  CHECK(devices_are_shared(of({{"NCCL_MULTI_RANK_GPU_ENABLE", "1"}})));
  CHECK_FALSE(devices_are_shared(of({{"NCCL_DEBUG", "1"}})));
}

TEST_CASE("versions read as CUDA and NCCL write them") {
  CHECK(cuda_version_text(13000) == "13.0");
  CHECK(cuda_version_text(12040) == "12.4");
  CHECK(nccl_version_text(22809) == "2.28.9");
  CHECK(nccl_version_text(23001) == "2.30.1");
  CHECK(nccl_version_text(2708) == "2.7.8");
}

TEST_CASE("a driver may be older than the toolkit within a major version, and no further") {
  CHECK(old_driver(13000, 13000).empty());
  CHECK(old_driver(13000, 13020).empty());
  CHECK(old_driver(14000, 13000).empty());
  CHECK(old_driver(12080, 13020) ==
        "the NVIDIA driver is too old: it has CUDA 12.8, and this worker, which was built with "
        "CUDA 13.2, needs CUDA 13.0 or later of it");
}

TEST_CASE("a library that is not there is named, with where it was looked for") {
  const std::string not_there = ": cannot open shared object file: No such file or directory";
  CHECK(no_driver("libcuda.so.1" + not_there, of({})) ==
        "there is no NVIDIA driver: libcuda.so.1 is neither in LD_LIBRARY_PATH nor in the "
        "loader's directories (LD_LIBRARY_PATH is not set); install the driver, or give the "
        "container its GPUs");
  CHECK(no_driver("libcuda.so.1: file too short", of({})) ==
        "the NVIDIA driver cannot be used: libcuda.so.1: file too short");
  CHECK(not_loaded("libnccl.so.2" + not_there, of({{"LD_LIBRARY_PATH", "/a:/b"}})) ==
        "libnccl.so.2 is neither in LD_LIBRARY_PATH nor in the loader's directories "
        "(LD_LIBRARY_PATH is '/a:/b'); install it, or add its directory to LD_LIBRARY_PATH: pip's "
        "packages have it in site-packages/nvidia/*/lib");
  CHECK(not_loaded("libcublas.so.13: invalid ELF header", of({})) ==
        "libcublas.so.13: invalid ELF header");
}

TEST_CASE("an NCCL without a function that is needed is named with its version") {
  CHECK(old_nccl("undefined symbol: ncclCommFinalize", 21212, "/lib/libnccl.so.2") ==
        "/lib/libnccl.so.2 is NCCL 2.12.12, expected 2.14 or later: undefined symbol: "
        "ncclCommFinalize");
}

TEST_CASE("a driver without a device: CUDA_VISIBLE_DEVICES is part of the reason") {
  CHECK(no_device("no device is detected", of({{"CUDA_VISIBLE_DEVICES", "7"}})) ==
        "the NVIDIA driver shows no device (no device is detected); CUDA_VISIBLE_DEVICES is '7', "
        "and nvidia-smi -L lists what there is");
  CHECK(devices_are_hidden(of({{"CUDA_VISIBLE_DEVICES", ""}})));
  CHECK(devices_are_hidden(of({{"CUDA_VISIBLE_DEVICES", "-1"}})));
  CHECK_FALSE(devices_are_hidden(of({{"CUDA_VISIBLE_DEVICES", "7"}})));
  CHECK_FALSE(devices_are_hidden(of({})));
}

TEST_CASE("a way of sharing a device that this NCCL does not know is refused") {
  ddp::WorkerEnv env;
  env.local_world_size = 2;
  const auto by_flag = of({{"NCCL_MULTI_RANK_GPU_ENABLE", "1"}});
  CHECK(sharing_unknown(env, 1, 22809, by_flag) ==
        "NCCL_MULTI_RANK_GPU_ENABLE is '1', which NCCL reads from 2.30.0 on, and this is NCCL "
        "2.28.9: set NCCL_HOSTID to a different value for each rank, or use ddp-launch "
        "--oversubscribe");
  CHECK(sharing_unknown(env, 1, 23000, by_flag).empty());
  CHECK(sharing_unknown(env, 2, 22809, by_flag).empty());
  CHECK(sharing_unknown(env, 1, 22809, of({{"NCCL_HOSTID", "a"}})).empty());
  CHECK(sharing_unknown(env, 1, 22809,
                        of({{"NCCL_HOSTID", "a"}, {"NCCL_MULTI_RANK_GPU_ENABLE", "1"}}))
            .empty());
}

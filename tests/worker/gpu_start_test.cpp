// A worker that cannot use the GPU says in one line why, and with --backend auto trains on the CPU.
#include "tests/worker/program.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace ddp::test;

namespace {

// Directories of fake libraries (fake_library.cpp), for LD_LIBRARY_PATH.
const std::string kDriver = DDP_FAKE_DRIVER_DIR;
const std::string kNccl = DDP_FAKE_NCCL_DIR;

bool built_with_cuda() {
  return std::filesystem::exists(std::filesystem::path(DDP_WORKER).parent_path() /
                                 "libddp_worker_cuda.so");
}

struct Run {
  Folder folder;
  std::string data = folder.write("text", sample_text(2000));

  Ended with(const std::string& backend, const Environment& environment,
             const std::string& program = DDP_WORKER) const {
    return Process({"--data", data, "--steps", "2", "--hidden", "16", "--layers", "1", "--batch",
                    "8", "--backend", backend},
                   environment, program)
        .wait();
  }
  // Refused with exactly one line, which begins so.
  std::string refused(const Environment& environment,
                      const std::string& program = DDP_WORKER) const {
    const Ended ended = with("nccl", environment, program);
    CAPTURE(ended.err);
    CHECK(ended.code == 2);
    CHECK(ended.err.starts_with("worker: rank 0: --backend nccl is not available: "));
    CHECK(occurrences(ended.err, "\n") == 1);
    return ended.err;
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("without a driver: what was looked for, and where") {
  if (::dlopen("libcuda.so.1", RTLD_LAZY) != nullptr) {
    MESSAGE("there is a driver: not run");
    return;
  }
  const Run run;
  const std::string line = run.refused({{"LD_LIBRARY_PATH", "/nowhere"}});
  if (built_with_cuda()) {
    CHECK(has(line,
              "libcuda.so.1 is neither in LD_LIBRARY_PATH nor in the loader's directories "
              "(LD_LIBRARY_PATH is '/nowhere')"));
  } else {
    CHECK(has(line, "this worker was built without CUDA: there is no /"));
  }
  const Ended automatic = run.with("auto", {});
  CHECK(automatic.code == 0);
  CHECK(automatic.err.empty());
}

TEST_CASE("with a driver that is too old, or is damaged") {
  const Run run;
  const Environment old{{"LD_LIBRARY_PATH", kDriver}, {"FAKE_LIBRARY_VERSION", "11080"}};
  const std::string line = run.refused(old);
  if (built_with_cuda()) CHECK(has(line, "the NVIDIA driver is too old: it has CUDA 11.8"));
  run.folder.write("libcuda.so.1", "");
  const Environment damaged{{"LD_LIBRARY_PATH", run.folder.at("")}};
  if (built_with_cuda()) CHECK(has(run.refused(damaged), "file too short"));

  // There is a driver, so that the CPU is not what was hoped for.
  for (const Environment& environment : {old, damaged}) {
    const Ended automatic = run.with("auto", environment);
    CAPTURE(automatic.err);
    CHECK(automatic.code == 0);
    CHECK(automatic.err.starts_with("worker: rank 0: training on the CPU (as with --backend"));
    CHECK(occurrences(automatic.err, "\n") == 1);
  }
}

TEST_CASE("the CPU was asked for: nothing to say") {
  const Run run;
  const Environment old{{"LD_LIBRARY_PATH", kDriver}, {"FAKE_LIBRARY_VERSION", "11080"}};
  CHECK(run.with("gloo", old).err.empty());
  Environment hidden = old;
  hidden["CUDA_VISIBLE_DEVICES"] = "";
  const Ended automatic = run.with("auto", hidden);
  CHECK(automatic.code == 0);
  CHECK(automatic.err.empty());
}

TEST_CASE("with an NCCL that lacks what is needed") {
  if (!built_with_cuda()) {
    MESSAGE("built without CUDA: not run");
    return;
  }
  const Run run;
  const std::string line =
      run.refused({{"LD_LIBRARY_PATH", kDriver + ":" + kNccl}, {"FAKE_LIBRARY_VERSION", "21212"}});
  CHECK(has(line, kNccl + "/libnccl.so.2 is NCCL 2.12.12, expected 2.14 or later"));
}

TEST_CASE("with a library of NVIDIA's that is not there") {
  const Run run;
  const std::string line = run.refused({{"LD_LIBRARY_PATH", kDriver}}, DDP_UNMET_WORKER);
  CHECK(has(line,
            "available: libnccl-absent.so.2 is neither in LD_LIBRARY_PATH nor in the loader's "
            "directories (LD_LIBRARY_PATH is '" +
                kDriver + "'); install it, or add its directory to LD_LIBRARY_PATH"));
}

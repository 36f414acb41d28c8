#!/usr/bin/env python3
"""Faults in a copy of the GPU half's sources, which the simulation must notice (mutants_test.py).

    mutants.py --list             name:file, one a line
    mutants.py --write NAME OUT   writes NAME's file with its fault in it
"""
import pathlib
import sys

GPU = pathlib.Path(__file__).resolve().parents[2] / "worker" / "gpu"

# name: file, what stands there once, what stands there instead. The check that must notice it is
# as_on_the_cpu, unless NOTICED_BY names another.
MUTANTS = {
    # Order between streams and with the host.
    "bucket-before-gradient": ("nccl_communicator.cpp", """    check(cudaStreamWaitEvent(stream_.get(), ready.get()), "cudaStreamWaitEvent");
""", ""),
    "event-never-recorded": ("nccl_communicator.cpp", "    ready.record(compute_);\n", ""),
    "end-on-other-stream": ("nccl_communicator.cpp", "flight.end.record(stream_.get());",
                            "flight.end.record(compute_);"),
    "update-before-sum": ("nccl_communicator.cpp",
                          "for (const Flight& flight : flights_) wait(flight.end, flight.what);", ""),
    "memory-before-memset": ("cuda_support.hpp",
                             """    check(cudaStreamSynchronize(nullptr), "cudaMemset");\n""", ""),
    # NCCL's protocol.
    "collective-not-settled": ("nccl_communicator.cpp", """              what);
      settle(what);
    }""", """              what);
    }"""),
    "finalize-not-settled": ("nccl_communicator.cpp",
                             """      settle("closing the communicator");\n""", ""),
    "no-abort": ("nccl_communicator.cpp",
                 "ncclCommAbort(std::exchange(comm_, nullptr));", "comm_ = nullptr;"),
    "used-after-abort": ("nccl_communicator.cpp", "ncclCommAbort(std::exchange(comm_, nullptr));",
                         "ncclCommAbort(comm_);"),
    "no-deadline": ("nccl_communicator.cpp", "if (waited > timeout_) {", "if (false) {"),
    "end-not-forced": ("nccl_communicator.cpp", "    end_in_any_case(why);\n", ""),
    "dead-peer-not-asked": ("nccl_communicator.cpp",
                            "const std::string gone = leaver_();", "const std::string gone;"),
    # Kernels.
    "bound-of-a-row": ("kernels.cu", "  if (column < width) {\n    for (std::size_t row",
                       "  {\n    for (std::size_t row"),
    "no-barrier": ("kernels.cu", "  shared[threadIdx.x] = value;\n  __syncthreads();",
                   "  shared[threadIdx.x] = value;"),
    "barrier-of-some": ("kernels.cu", """  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();""", """  shared[threadIdx.y][threadIdx.x] = sum;
  if (threadIdx.y > 0) __syncthreads();"""),
    "last-of-a-chunk": ("kernels.cu", "for (std::size_t k = begin; k < end; ++k)",
                        "for (std::size_t k = begin; k + 1 < end; ++k)"),
    # Copies and products.
    "copy-too-long": ("cuda_ops.cpp", "check(cudaMemsetAsync(values, 0, n * sizeof(float), stream_)",
                      "check(cudaMemsetAsync(values, 0, n * 8, stream_)"),
    "other-leading-dimension": ("cuda_ops.cpp",
                                "gemm(CUBLAS_OP_N, CUBLAS_OP_T, in, out, n, x, in, dy, out,",
                                "gemm(CUBLAS_OP_N, CUBLAS_OP_T, in, out, n, x, in, dy, out + 1,"),
}

NOTICED_BY = {
    "no-abort": "ends_at_its_deadline",
    "used-after-abort": "ends_at_its_deadline",
    "no-deadline": "ends_at_its_deadline",
    "end-not-forced": "ends_though_the_device_does_not",
    "dead-peer-not-asked": "notices_a_death",
}
# What these do is hang.
HANG = {"no-deadline", "end-not-forced"}


def mutated(name):
    file, found, instead = MUTANTS[name]
    text = (GPU / file).read_text(encoding="utf-8")
    count = text.count(found)
    if count != 1:
        sys.exit(f"mutants.py: {name}: {file} has {count} places that read {found!r}, expected 1")
    return text.replace(found, instead)


def main():
    if sys.argv[1:2] == ["--list"]:
        for name, (file, _, _) in MUTANTS.items():
            print(f"{name}:{file}")
    else:
        name, out = sys.argv[2:]
        pathlib.Path(out).write_text(mutated(name), encoding="utf-8")


if __name__ == "__main__":
    main()

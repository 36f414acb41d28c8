#!/usr/bin/env bash
# Everything the project knows to check on a GPU, in one command: the tests labelled gpu (operators against the CPU; 1, 2
# and 4 ranks, repeated, cut by a checkpoint, killed and restarted, killed inside NCCL), one run under compute-sanitizer's
# memcheck, and speed next to PyTorch's with the achieved share of the matrix peak.
usage='usage: scripts/gpu-check.sh [--bin DIR]
  --bin DIR  a build directory to take the programs from (bin/, tests/ and bench/ in it) instead of building'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=
while (($#)); do
    case $1 in
    --bin)
        build=${2:?$usage}
        shift 2
        ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "gpu-check: unknown argument '$1'" >&2 && echo "$usage" >&2 && exit 2 ;;
    esac
done

command -v nvidia-smi >/dev/null && nvidia-smi -L || { echo 'gpu-check: no GPU here' >&2 && exit 1; }
if [[ -z $build ]]; then
    build=build/release
    cmake --preset release -DDDP_CUDA=ON >/dev/null
    cmake --build --preset release --target worker ddp-launch worker_gpu_ops bench_gpu_peak
fi
for program in bin/worker bin/libddp_worker_cuda.so bin/ddp-launch tests/worker_gpu_ops bench/gpu_peak; do
    [[ -e $build/$program ]] || { echo "gpu-check: $build has no $program" >&2 && exit 1; }
done

echo '== operators against the CPU'
"$build/tests/worker_gpu_ops"

echo '== 1, 2 and 4 ranks: losses, repetition, checkpoints, faults'
python3 tests/worker/gpu_test.py "$build/bin/worker" "$build/bin/ddp-launch"

echo '== memcheck'
if command -v compute-sanitizer >/dev/null; then
    compute-sanitizer --tool memcheck --error-exitcode 9 "$build/tests/worker_gpu_ops"
    compute-sanitizer --tool memcheck --error-exitcode 9 \
        "$build/bin/worker" --data LICENSE --backend nccl --steps 3 --batch 32
else
    echo 'gpu-check: compute-sanitizer is missing: memcheck not run' >&2
fi

echo '== speed: one rank, hidden 4096, 8 layers'
python3 tests/bench/compare_gpu.py "$build/bin/worker" "$build/bench/gpu_peak"
echo 'gpu-check: done'

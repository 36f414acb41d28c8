#!/usr/bin/env bash
# Everything the project knows to check on a GPU: the tests labelled gpu, and one run under
# compute-sanitizer's memcheck.
usage='usage: scripts/gpu-check.sh [--bin DIR]
  --bin DIR  use the built worker and libddp_worker_cuda.so in DIR instead of building'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=
while (($#)); do
    case $1 in
    --bin)
        bin=${2:?$usage}
        shift 2
        ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "gpu-check: unknown argument '$1'" >&2 && echo "$usage" >&2 && exit 2 ;;
    esac
done

command -v nvidia-smi >/dev/null && nvidia-smi -L || { echo 'gpu-check: no GPU here' >&2 && exit 1; }
if [[ -z $bin ]]; then
    cmake --preset release -DDDP_CUDA=ON >/dev/null
    cmake --build --preset release --target worker
    bin=build/release/bin
fi
[[ -e $bin/libddp_worker_cuda.so ]] || { echo "gpu-check: $bin has no libddp_worker_cuda.so" >&2 && exit 1; }

echo '== losses, repetition, checkpoints'
python3 tests/worker/gpu_test.py "$bin/worker"

echo '== memcheck'
if command -v compute-sanitizer >/dev/null; then
    compute-sanitizer --tool memcheck --error-exitcode 9 \
        "$bin/worker" --data LICENSE --backend nccl --steps 3 --batch 32
else
    echo 'gpu-check: compute-sanitizer is missing: memcheck not run' >&2
fi

echo '== speed: one rank, hidden 4096, 8 layers'
for type in fp32 bf16; do
    "$bin/worker" --data LICENSE --backend nccl --dtype "$type" --hidden 4096 --layers 8 --embed 256 \
        --context 16 --batch 4096 --steps 30 --log-every 10
done
echo 'gpu-check: done'

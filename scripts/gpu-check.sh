#!/usr/bin/env bash
# Everything the project knows to check on a GPU, in one command; tests/gpu/check.py has the sections and documents
# the results and the exit codes. Runs in a clone, which it builds, or in the unpacked archive of gpu-pack.sh.
usage='usage: scripts/gpu-check.sh [--bin DIR] [--results DIR] [--python PROGRAM] [--only NAME,...] [--quick] [--docs]
  --bin DIR         a build directory to take the programs from (bin/, tests/ and bench/ in it) instead of building;
                    the results then do not know its commit
  --results DIR     where results.json, gpu-results.md and the logs go, gpu-results if not said
  --python PROGRAM  the Python that has PyTorch, python3 if not said
  --only NAME,...   these sections: operators, ranks, restarts, collectives, memcheck, racecheck, synccheck,
                    initcheck, speed, times
  --quick           small sizes and one round
  --docs            also write docs/gpu-results.md'
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=
results=gpu-results
python=python3
options=()
need_value() {
    [[ -n ${2-} ]] || { echo "gpu-check: $1 needs a value" >&2 && echo "$usage" >&2 && exit 2; }
}
while (($#)); do
    case $1 in
    --bin) need_value "$@" && build=$2 && shift ;;
    --results) need_value "$@" && results=$2 && shift ;;
    --python) need_value "$@" && python=$2 && shift ;;
    --only) need_value "$@" && options+=(--only "$2") && shift ;;
    --quick | --docs) options+=("$1") ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "gpu-check: unknown argument '$1'" >&2 && echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done
[[ $results == /* ]] || results=$called_from/$results
[[ -z $build || $build == /* ]] || build=$called_from/$build

python=$(command -v "$python") || { echo "gpu-check: no $python here" >&2 && exit 1; }
if [[ -z $build && -e BUILD.json ]]; then
    build=build # an unpacked archive
elif [[ -z $build ]]; then
    build=build/release
    cmake --preset release -DDDP_CUDA=ON >/dev/null
    cmake --build --preset release --target worker ddp-launch worker_gpu_ops bench_gpu_peak
    options+=(--built-here)
fi
exec "$python" tests/gpu/check.py "$build" --python "$python" --results "$results" "${options[@]}"

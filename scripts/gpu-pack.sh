#!/usr/bin/env bash
# One archive for a machine with a GPU that cannot build: what scripts/gpu-check.sh needs there, which is the one
# command in it. Of the target it asks for a driver, NCCL and cuBLAS of the build's major version (pip's are found),
# Python 3.8, and PyTorch to compare with; its C library must not be older than this machine's.
usage='usage: scripts/gpu-pack.sh [--bin DIR] [--output FILE] [--limit MIB]
  --bin DIR      a build directory with DDP_PORTABLE to take the programs from, instead of building
                 preset gpu-pack; the archive then does not know its commit
  --output FILE  the archive, ddp-launch-gpu.tar.gz if not said
  --limit MIB    the most that the archive may have, 64 if not said'
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

limit=64
build=
output=ddp-launch-gpu.tar.gz
built_here=()
need_value() {
    [[ -n ${2-} ]] || { echo "gpu-pack: $1 needs a value" >&2 && echo "$usage" >&2 && exit 2; }
}
while (($#)); do
    case $1 in
    --bin) need_value "$@" && build=$2 && shift ;;
    --output) need_value "$@" && output=$2 && shift ;;
    --limit) need_value "$@" && limit=$2 && shift ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "gpu-pack: unknown argument '$1'" >&2 && echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done
[[ $limit =~ ^[1-9][0-9]*$ ]] || { echo "gpu-pack: --limit is '$limit': expected a whole number" >&2 && exit 2; }
[[ $output == /* ]] || output=$called_from/$output
[[ -z $build || $build == /* ]] || build=$called_from/$build

fail() {
    echo "gpu-pack: $1" >&2
    exit 1
}

if [[ -z $build ]]; then
    build=build/gpu-pack
    cmake --preset gpu-pack >/dev/null
    cmake --build --preset gpu-pack
    built_here=(--built-here)
fi
programs=(bin/worker bin/ddp-launch bin/libddp_worker_cuda.so tests/worker_gpu_ops bench/gpu_peak)
for program in "${programs[@]}"; do
    [[ -e $build/$program ]] || fail "$build has no $program"
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/ddp-launch-gpu
mkdir -p "$root"/build/{bin,lib,tests,bench}
for program in "${programs[@]}"; do
    strip -o "$root/build/$program" "$build/$program"
done
# A build may bring more: a bin/nvidia-smi, libraries.
for own in "$build"/bin/nvidia-smi "$build"/lib/lib*.so*; do
    [[ ! -e $own ]] || cp "$own" "$root/build/${own#"$build"/}"
done
# The system's libraries that are linked dynamically, because Debian has no others: Gloo and what it needs.
brought=$(cd "$build" && python3 "$OLDPWD/tests/gpu/libraries.py" "${programs[@]}")
while read -r library; do
    [[ -z $library ]] || cp -n "$library" "$root/build/lib/"
done <<<"$brought"
# On the target there is no LD_LIBRARY_PATH, and no copy of them in the system.
for program in "${programs[@]}"; do
    python3 tests/gpu/libraries.py --inside "$root/build/lib" "$root/build/$program" ||
        fail "$program does not take its libraries from the archive: build with -DDDP_PORTABLE=ON, as preset gpu-pack does"
done
env -u LD_LIBRARY_PATH "$root/build/bin/worker" --help >/dev/null || fail "the archive's worker does not start"

# As in the repository, so that one set of scripts serves both.
cp --parents LICENSE docs/worker.md scripts/gpu-check.sh tests/gpu/*.py tests/worker/gpu_test.py \
    tests/bench/compare_gpu.py tests/parity/{ranks,torch_worker}.py "$root"
python3 tests/gpu/facts.py "$build" "${built_here[@]}" >"$root/BUILD.json"

tar -C "$folder" -czf "$folder/archive" ddp-launch-gpu
size=$(stat -c %s "$folder/archive")
((size <= limit << 20)) || fail "the archive has $((size >> 10)) KiB, expected at most $limit MiB; $output is not written"
mv "$folder/archive" "$output"
echo "gpu-pack: $output, $((size >> 10)) KiB. On the target: tar xzf ${output##*/} && ddp-launch-gpu/scripts/gpu-check.sh"

#!/usr/bin/env bash
# Runs ddp-launch and every peer that is installed side by side and writes docs/benchmarks.md. Takes about ten minutes
# on 2 cores; run it on an idle machine.
usage='usage: scripts/bench.sh [--install-peers] [--print] [bench.py options, such as --rounds 5]
  --install-peers  install what can be compared with from Debian (as root): MPICH, Open MPI, PyTorch, Slurm, GNU parallel
  --print          print the figures and do not change docs/benchmarks.md'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/steps.sh

peers=(mpich openmpi-bin python3-torch slurmctld slurmd slurm-client parallel)
write=(--write docs/benchmarks.md)
options=()
for argument in "$@"; do
    case $argument in
    --install-peers)
        # Only the programs are wanted: the benchmark starts its own Slurm, and RUNLEVEL=1 keeps the packages from
        # starting theirs.
        DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install --yes --no-install-recommends "${peers[@]}" </dev/null
        ;;
    --print) write=() ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) options+=("$argument") ;;
    esac
done

steps 3
step building
build release --target ddp-launch bench_programs
step "comparing ddp-launch with the peers that are installed"
/usr/bin/python3 tests/bench/bench.py --programs build/release/bench --ddp-launch build/release/bin/ddp-launch \
    "${write[@]}" "${options[@]}"
if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    step "comparing --preload with torchrun"
    /usr/bin/python3 tests/bench/preload.py --ddp-launch build/release/bin/ddp-launch "${write[@]}"
else
    echo "bench: without python3-torch, --preload is not compared with torchrun" >&2
fi
finished

#!/usr/bin/env bash
# Launches, kills and signals for as long as you ask, and checks after each that nothing is left.
usage='usage: scripts/soak.sh [MINUTES] [--seed N] [--preset NAME]
  MINUTES        how long, 10 if not said
  --seed N       the seed of an earlier soak, as it printed it
  --preset NAME  the build to soak: release (default), debug or asan'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/steps.sh

minutes=10
preset=release
seed=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --seed) seed=(--seed "${2:?$usage}") && shift ;;
    --preset) preset=${2:?$usage} && shift ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *[!0-9]* | '') echo "soak: MINUTES is '$1': expected a whole number" >&2 && echo "$usage" >&2 && exit 2 ;;
    *) minutes=$1 ;;
    esac
    shift
done

steps 2
step building
build "$preset" --target ddp-launch soak_worker
step "soaking for $minutes minutes"
exec python3 tests/soak/soak.py --ddp-launch "build/$preset/bin/ddp-launch" --worker "build/$preset/soak/soak_worker" \
    --seconds "$((minutes * 60))" "${seed[@]}"

#!/usr/bin/env bash
# Runs the shipped campaign: the worker's training with each kind of fault.
usage='usage: scripts/campaign.sh [--preset NAME] [--plans A,B…] [--without-faults] [--junit FILE] [--log-dir DIR]
  --preset NAME     the build to run: release (default), debug or asan
  --plans A,B       these plans of examples/campaign alone
  --without-faults  the negative control: without their faults no plan is met, except those that expect no failure
  --junit FILE      the results as JUnit XML
  --log-dir DIR     keep everything there'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/steps.sh

preset=release
more=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --preset) preset=${2:?$usage} && shift ;;
    --plans | --junit | --log-dir) more+=("$1" "${2:?$usage}") && shift ;;
    --without-faults) more+=("$1") ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "campaign: unknown argument '$1'" >&2 && echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done

steps 2
step building
build "$preset" --target ddp-launch worker
step "running the campaign"
exec python3 tests/campaign/campaign.py --bin "build/$preset/bin" "${more[@]}"

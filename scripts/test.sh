#!/usr/bin/env bash
# Sets up, builds and tests: all tests in the release build, then unit, system and end-to-end tests and those of the
# simulated GPU again under AddressSanitizer and UndefinedBehaviorSanitizer, the simulated GPU's streams under
# ThreadSanitizer, then ten seconds of fuzzing for each parser. It fails on a failed
# test, a sanitizer report, a format difference and, if CI is set in the environment, a compiler warning.
usage='usage: scripts/test.sh [--quick] [--loop N] [--filter REGEX] [--no-setup]
  --quick         the release build only, without sanitizers and fuzzing
  --loop N        each test N times, or until it fails
  --filter REGEX  only tests whose name matches
  --no-setup      install nothing; without it, what scripts/packages.txt and packages-test.txt name (1.3 GB, for PyTorch and Chromium)'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/steps.sh

quick=no
later=error  # what to do if --filter selects no test of the later builds
setup=yes
select=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --quick) quick=yes ;;
    --no-setup) setup=no ;;
    --loop) select+=(--repeat "until-fail:${2:?$usage}") && shift ;;
    --filter) select+=(--tests-regex "${2:?$usage}") && later=ignore && shift ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "test: unknown argument '$1'" >&2 && echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done
[[ $setup == no ]] || scripts/setup.sh --tests

# A user's shell does not have it, and it hides lines that a rank loses in its buffer.
unset PYTHONUNBUFFERED

configure=()
[[ -z ${CI:-} ]] || configure+=(-DCMAKE_COMPILE_WARNING_AS_ERROR=ON)
jobs=$(nproc)

# build_and_test PRESET TEST_PRESET WHAT_IF_NO_TEST [CTEST ARGUMENT…]
build_and_test() {
    local preset=$1 tests=$2 if_none=$3
    shift 3
    step "$preset: building"
    cmake --preset "$preset" "${configure[@]}"
    cmake --build --preset "$preset" --parallel "$jobs"
    step "$preset: testing"
    ctest --preset "$tests" --parallel "$jobs" --no-tests="$if_none" "${select[@]}" "$@" </dev/null
}

if [[ $quick == yes ]]; then
    steps 2
    build_and_test release release-all error
    finished
    exit 0
fi
steps 8
build_and_test release release-all error

# Reports go to files, so that none is missed, whichever process of a test makes it and whatever its exit code is.
reports=$PWD/build/asan/reports
rm -rf "$reports"
mkdir -p "$reports"
export ASAN_OPTIONS="log_path=$reports/asan:detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="log_path=$reports/ubsan:print_stacktrace=1"
status=0
build_and_test asan asan "$later" --label-regex '^(unit|os|e2e|sim)$' || status=$?
if compgen -G "$reports/*" >/dev/null; then
    cat "$reports"/* >&2
    echo "test: the sanitizers reported the above" >&2
    status=1
fi
unset ASAN_OPTIONS UBSAN_OPTIONS
DDP_SIM_LAUNCH=$PWD/build/release/bin/ddp-launch build_and_test tsan tsan "$later" || status=$?
build_and_test fuzz fuzz "$later" || status=$?
finished
exit "$status"

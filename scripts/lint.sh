#!/usr/bin/env bash
# What a reader should not have to check by eye: format, include rules, headers that compile alone, warnings.
usage='usage: scripts/lint.sh [--fix] [--tidy]
  --fix   reformat instead of reporting format differences
  --tidy  run clang-tidy as well (minutes)'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fix=no
tidy=no
for argument in "$@"; do
    case $argument in
    --fix) fix=yes ;;
    --tidy) tidy=yes ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "lint: unknown argument '$argument'" >&2 && echo "$usage" >&2 && exit 2 ;;
    esac
done

[[ $fix == no ]] || python3 tests/lint/format.py --fix
python3 tests/lint/format.py
python3 tests/lint/source_rules.py
cmake --preset release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON >/dev/null
cmake --build --preset release --target ddp_headers_alone all
if [[ $tidy == yes ]]; then
    command -v run-clang-tidy >/dev/null || { echo "lint: clang-tidy is missing: apt-get install clang-tidy" >&2 && exit 1; }
    run-clang-tidy -quiet -p build/release "^$PWD/(common|launcher|worker)/.*\\.cpp$"
fi
echo "lint: clean"

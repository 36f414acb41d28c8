#!/usr/bin/env bash
# From a fresh checkout to four processes that train one model: set up, build, launch.
# Arguments replace the worker's own: scripts/demo.sh --data README.md --steps 500
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh

build() { # shows the tool's output only when it fails
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
echo "demo: building (the first time takes some minutes)"
build cmake --preset release
build cmake --build --preset release --target ddp-launch worker

[[ $# -gt 0 ]] || set -- --data README.md
bin=build/release/bin
command=("$bin/ddp-launch" --nproc 4 -- "$bin/worker" "$@")
echo "demo: ${command[*]}"
"${command[@]}"

cat <<TEXT

What to try next, from this directory:
  kill a rank while it trains: start the line below, then, in another terminal, kill -9 one of the
  workers (pgrep -af bin/worker lists them). The group is stopped, the failure report names the
  rank, and the group is restarted.
    $bin/ddp-launch --nproc 4 --max-restarts 3 -- $bin/worker $*
  keep each rank's output in files:
    $bin/ddp-launch --nproc 4 --log-dir logs --tee 3 -- $bin/worker $*
    ls -R logs
  see what would be started, and with which environment:
    $bin/ddp-launch --nproc 4 --dry-run -- $bin/worker $*
  launch your own program, in any language:
    $bin/ddp-launch --nproc 4 -- sh -c 'echo "rank \$RANK of \$WORLD_SIZE"'
  everything else:
    $bin/ddp-launch --help
TEXT

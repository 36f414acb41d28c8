#!/bin/sh
# Any program is a worker. This one counts the lines of its share of the files it is given: every
# WORLD_SIZE-th, from RANK on.
#
#   ddp-launch --nproc 4 -- ./shell_worker.sh *.md
set -eu
: "${RANK:?start me with ddp-launch}" "${WORLD_SIZE:?start me with ddp-launch}"
number=0
for file in "$@"; do
  if [ $((number % WORLD_SIZE)) -eq "$RANK" ]; then
    lines=$(wc -l <"$file")
    echo "rank $RANK: $file has $((lines)) lines"
  fi
  number=$((number + 1))
done

#!/usr/bin/env python3
"""Launches, attempts and random signals for a given time; afterwards no process and no file may be left of any of them.

    soak.py --ddp-launch build/release/bin/ddp-launch --worker build/release/soak/soak_worker --seconds 600 [--seed N]

Exits 1 at the first launch after which a check fails. The printed seed repeats the sequence of launches, not the
moments within them.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time

import generations
import launches
import random_signals
from harness import Soak, Violation
from processes import become_subreaper, clean_up


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)
    parser.add_argument("--ddp-launch", required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    return parser.parse_args()


def repeat(part, soak, seconds):
    """How often `part` ran; at least once."""
    until = time.monotonic() + seconds
    count = 0
    while count == 0 or time.monotonic() < until:
        part(soak)
        count += 1
    return count


def main():
    options = arguments()
    seed = int.from_bytes(os.urandom(4), "little") if options.seed is None else options.seed
    print(f"soak: seed {seed}, {options.seconds:.0f} s", flush=True)
    become_subreaper()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally clauses: nothing is left running
    descriptors = len(os.listdir("/proc/self/fd"))
    folder = tempfile.mkdtemp(prefix="ddp-soak-")
    part = options.seconds / 3
    try:
        # One random generator per part: how many launches fit into one part does not change the next.
        soak = [Soak(options.ddp_launch, options.worker, f"{seed}/{name}", folder) for name in ("a", "b", "c")]
        began = time.monotonic()
        print(f"soak: {repeat(launches.one, soak[0], part)} launches, every failure report as injected", flush=True)
        print(f"soak: {repeat(random_signals.one, soak[1], part)} launches hit by random signals, nothing left", flush=True)
        left = max(part / 2, options.seconds - (time.monotonic() - began))
        count = generations.run(soak[2], time.monotonic() + left)
        print(f"soak: {count} attempts in one launch, every failure report as injected, no growth", flush=True)
        if len(os.listdir("/proc/self/fd")) > descriptors:
            raise Violation("the soak itself leaks descriptors")
        return 0
    except Violation as violation:
        print(f"soak: VIOLATION with --seed {seed}: {violation}", file=sys.stderr)
        return 1
    finally:
        clean_up()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

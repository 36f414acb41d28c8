#!/usr/bin/env python3
"""Runs ddp-launch and every peer that is installed side by side and prints the figures.

    bench.py --programs build/release/bench --ddp-launch build/release/bin/ddp-launch [--write docs/benchmarks.md]
    bench.py … --quick     one minute at most, ddp-launch and the bare loop only, and leaves with 1 when the harness or
                           ddp-launch does not do what it must (no figure is judged)
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import death
import idle
import launch_exit
import peers as peer_list
import quick
import report
import tagged
from measure import Bench
from processes import become_subreaper, clean_up
from slurm import LocalSlurm

SIZES = (1, 4, 16, 64, 256)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)
    parser.add_argument("--programs", required=True, help="folder of floor, noop, probe and check_lines")
    parser.add_argument("--ddp-launch", required=True)
    parser.add_argument("--write", metavar="FILE", help="put the figures into this page")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--lines", type=int, default=200_000, help="lines of each of the 4 ranks")
    parser.add_argument("--seconds", type=int, default=10, help="how long idling is watched")
    parser.add_argument("--realtime", action="store_true",
                        help="run all of it as SCHED_FIFO (root): for a machine that has other work")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def measure_all(bench, options):
    began = time.monotonic()
    load = [os.getloadavg()[0]]
    noop, rounds = bench.program("noop"), options.rounds
    done = subprocess.run(["stat", "-f", "-c", "%T", bench.folder], capture_output=True, text=True, check=True)
    realtime = os.sched_getscheduler(0) == os.SCHED_FIFO
    data = {"rounds": rounds, "filesystem": done.stdout.strip(),
            "priority": " (of others: the benchmark ran at real-time priority, every launcher alike)" if realtime else ""}
    data["launch"] = launch_exit.measure(bench, SIZES, rounds, (("static no-op", [noop]), ("/bin/true", ["/bin/true"])))
    data["death"] = {how: death.measure(bench, 4, rounds, way) for how, way in (("SIGKILL", "kill"), ("exit 3", "exit=3"))}
    data["restart"] = death.measure_restart(bench, 4, rounds)
    data["tagged"] = {way: (options.lines, tagged.measure(bench, 4, options.lines, 5, way)) for way in ("block", "each")}
    data["idle"] = {n: (options.seconds, idle.measure_idle(bench, n, options.seconds)) for n in (4, 64)}
    data["forwarding"] = {n: (seconds, idle.measure_forwarding(bench, n, seconds)) for n, seconds in ((64, 5), (4, 30))}
    data["load"] = [*load, os.getloadavg()[0]]
    data["seconds"] = time.monotonic() - began
    return data


def main():
    options = arguments()
    become_subreaper()
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally clause: nothing is left running
    # In memory, where there is such a place, as XDG_RUNTIME_DIR is on a desktop: every launcher's TMPDIR is within, and
    # ext4 gets slower with every file that was removed in the last minutes (docs/benchmarks.md, "What was tried").
    folder = tempfile.mkdtemp(prefix="ddp-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    slurm = None
    try:
        if options.quick:
            found, _ = peer_list.find(options.programs, options.ddp_launch, None)
            return quick.check(Bench(found[:2], options.programs, folder, verbose=say))
        slurm = LocalSlurm(tempfile.mkdtemp(dir=folder))
        found, missing = peer_list.find(options.programs, options.ddp_launch, slurm.configuration)
        why = {name: slurm.why if name == peer_list.Srun.name and slurm.why else "not installed" for name in missing}
        for name in missing:
            say(f"left out: {name}: {why[name]}")
        bench = Bench(found, options.programs, folder, slurm.pids(), verbose=say)
        text = report.measured(measure_all(bench, options), found, why, os.path.dirname(os.path.abspath(__file__)))
        if options.write:
            report.write(options.write, text)
        else:
            print(text)
        return 0
    finally:
        if slurm is not None:
            slurm.close()
        clean_up()
        shutil.rmtree(folder, ignore_errors=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

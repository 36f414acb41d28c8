#!/usr/bin/env python3
"""How fast a failure is detected, torn down and recovered from, by kind of fault: N ranks of ddp-test-helper, one fault
a run, the figures of ddp-launch's own table of failures.

    fault_times.py --ddp-launch build/release/bin/ddp-launch --helper build/release/tests/ddp-test-helper
                   [--worker build/release/bin/worker] [--rounds 15] [--write docs/benchmarks.md]
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

from page import write_between

BEGIN = "<!-- faults: what stands between these two lines is written by tests/bench/fault_times.py -->"
END = "<!-- end of faults -->"
COLUMNS = ("detected", "down", "next exec", "first step")
NPROC = 4
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "min": 60e3}

# The attempt with the fault waits until it is stopped; the next one does a step and exits.
WAIT = ["on-generation", "0", "[", "pause", "]"]
STEPS = ["steps", "1", "3", *WAIT]


def helper_cases(folder):
    """(fault, further flags, steps of the helper)"""
    file = os.path.join(folder, "file")
    write = ["step", "1", "on-generation", "0", "[", "on-rank", "1", "[", "append", file, "text", "]", "]", "step", "2",
             *WAIT]
    return [
        ("kill@step=2,rank=1", [], STEPS),
        ("signal=SEGV@step=2,rank=1", [], ["no-core", *STEPS]),
        ("kill@step=2,rank=all,gen=0", [], STEPS),
        ("stop@step=2,rank=1,gen=0", ["--progress-timeout", "300ms", "--on-hang", "none"], STEPS),
        ("file-size=0@step=1,rank=1", [], ["no-core", *write]),
        ("open-files=3@step=1,rank=1", [], write),
        ("spawn-fail@rank=1", [], STEPS),
        ("port-taken", [], ["on-rank", "0", "[", "listen-master", "]", *STEPS]),
    ]


def worker_cases():
    return ["kill@step=20,rank=1", "exit=3@step=20,rank=1", "throw@step=20,rank=1", "segfault@step=20,rank=1",
            "abort@step=20,rank=1", "die-in-allreduce@step=20,rank=1", "cut-checkpoint@step=20,rank=0"]


def run(options, fault, flags, command):
    """{column: ms} of the run's first failure; a column without a figure is left out."""
    done = subprocess.run([options.ddp_launch, "--nproc", str(NPROC), "--max-restarts", "1", "--backoff", "0", *flags,
                           "--inject", fault, "--", *command], capture_output=True, text=True, timeout=120)
    rows = [line for line in done.stderr.splitlines() if re.match(r" +\d+  injected ", line)]
    if done.returncode != 0 or len(rows) != 1:
        sys.exit(f"{fault}: exit code {done.returncode}, {len(rows)} failures\n{done.stderr}")
    # The last five columns: four times, each "-" or a number and its unit, and a number of steps.
    times = re.findall(r"(?:\s(-)|\s(\d[\d.]*) (us|ms|s|min))(?=\s)", rows[0].split("injected", 1)[1])[-4:]
    return {column: float(number) * UNITS[unit] for column, (missing, number, unit) in zip(COLUMNS, times) if not missing}


def figure(values):
    return f"{statistics.median(values):.2f} / {max(values):.2f}" if values else "–"


def table(options, cases):
    lines = ["| fault | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for fault, flags, command in cases:
        rounds = [run(options, fault, flags, command) for _ in range(options.rounds)]
        cells = [figure([one[column] for one in rounds if column in one]) for column in COLUMNS]
        lines.append(f"| `{fault}` | " + " | ".join(cells) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def measured(options, folder):
    lines = [BEGIN, "", "### Faults", "",
             f"ms, median / worst of {options.rounds} runs with {NPROC} ranks, from ddp-launch's table of failures: "
             "detected counts from the fault, the others from the detection. A limit takes effect when the "
             "worker next exceeds it; a stopped rank is detected by --progress-timeout 300ms.", "", "Ranks that only take steps (ddp-test-helper):", ""]
    lines += table(options, [(fault, flags, [options.helper, *steps]) for fault, flags, steps in helper_cases(folder)])
    if options.worker:
        text = os.path.join(folder, "text")
        with open(text, "w", encoding="utf-8") as file:
            file.write("".join(f"rank {i % 37} waits for the rest. " for i in range(400)))
        lines += ["", "`worker` over Gloo, a checkpoint every 10 steps; first step includes its start, the rendezvous and "
                  "the checkpoint:", ""]
        small = [options.worker, "--data", text, "--backend", "gloo", "--context", "8", "--embed", "8", "--hidden", "32",
                 "--batch", "24", "--steps", "40", "--checkpoint-every", "10", "--checkpoint-dir"]
        cases = []
        for number, fault in enumerate(worker_cases()):
            for_each_run = os.path.join(folder, f"checkpoints.{number}")
            # A directory for each run, which the shell names: it would continue the last one's checkpoint.
            cases.append((fault, [], ["sh", "-c", 'exec "$@" "' + for_each_run + '.$DDP_RUN_ID"', "sh", *small]))
        lines += table(options, cases)
    return "\n".join([*lines, "", END, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ddp-launch", required=True)
    parser.add_argument("--helper", required=True)
    parser.add_argument("--worker", help="also measure this build of the worker")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", metavar="FILE", help="put the figures into this page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ddp-faults-") as folder:
        text = measured(options, folder)
    if options.write:
        write_between(options.write, BEGIN, END, text)
    else:
        print(text)


if __name__ == "__main__":
    main()

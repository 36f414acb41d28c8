"""--preload next to torchrun and to ddp-launch without it, in turn on the same machine.
usage: preload.py --ddp-launch DDP_LAUNCH [--rounds N] [--nproc N] [--python PYTHON] [--write docs/benchmarks.md]

A script that imports torch and does one all-reduce over Gloo; in attempt 0 rank 1 then exits with 1,
and attempt 1 does the same again. Medians of the rounds of
  start    from the start of the launcher to the first all-reduce of rank 0; for root also with an empty page cache
  restart  from the exit of rank 1 to the first all-reduce of rank 0 in attempt 1
  PSS      of all ranks after it, and of the preloader
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

from page import write_between

BEGIN = "<!-- preload: what stands between these two lines is written by tests/bench/preload.py -->"
END = "<!-- end of preload -->"

RANK = r"""
import os, signal, sys, time
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
rank = dist.get_rank()
ones = torch.ones(8)
dist.all_reduce(ones)
def say(what, value): os.write(1, f"@ {what} {value}\n".encode())
if rank == 0: say("reduced", time.monotonic())
dist.barrier()
def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "1":
    say("pss", pss("self"))
    dist.barrier()
    if rank == 0:
        parent = os.getppid()
        for child in open(f"/proc/{parent}/task/{parent}/children").read().split():
            if "ddp_launch_preload" in open(f"/proc/{child}/cmdline").read(): say("preloader", pss(child))
    dist.barrier()
elif rank == 1:
    say("died", time.monotonic())
    os._exit(1)
else:
    signal.pause()
"""


def drop_page_cache():
    """Whether the kernel has let go of what it had read."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def measure_both(command, script):
    """Warm and, for root, cold."""
    cold = measure(command, script)["start s"] if drop_page_cache() else None
    measured = measure(command, script)
    return measured if cold is None else {**measured, "cold start s": cold}


def measure(command, script):
    began = time.monotonic()
    run = subprocess.run([*command, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, timeout=300)
    said = {}
    for line in run.stdout.splitlines():
        _, at, text = line.partition("@ ")
        if at:
            what, value = text.split()
            said.setdefault(what, []).append(float(value))
    if run.returncode != 0 or len(said.get("reduced", [])) != 2:
        sys.exit(f"{command}: exit code {run.returncode}, {said}")
    first, second = said["reduced"]
    return {"start s": first - began, "restart s": second - said["died"][0],
            "PSS MB": sum(said["pss"]) / 1000, "preloader MB": sum(said.get("preloader", [0])) / 1000}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ddp-launch", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nproc", default="4")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--write", metavar="FILE", help="put the figures into this page")
    o = parser.parse_args()
    ours = [str(pathlib.Path(o.ddp_launch).resolve()), "--nproc", o.nproc, "--max-restarts", "1",
            "--backoff", "0", "--output", "raw"]
    commands = {
        "torchrun": [o.python, "-m", "torch.distributed.run", "--nproc_per_node", o.nproc,
                     "--max_restarts", "1", "--monitor_interval", "0.1",
                     # "none": PyTorch 1.13 cannot read its own default under Python 3.11.
                     "-r", "9:1", "-t", "9:1"],
        "ddp-launch": [*ours, "--", o.python],
        "ddp-launch --preload torch": [*ours, "--preload", "torch,torch.distributed", "--",
                                       o.python],
    }
    results = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as directory:
        script = os.path.join(directory, "rank.py")
        pathlib.Path(script).write_text(RANK)
        for _ in range(o.rounds):
            for name, command in commands.items():
                results[name].append(measure_both(command, script))
    text = report(results, o)
    if o.write:
        write_between(o.write, BEGIN, END, text)
    else:
        print(text)


def report(results, o):
    columns = list(results["torchrun"][0])
    medians = {name: {c: statistics.median(r[c] for r in rounds) for c in columns} for name, rounds in results.items()}
    base = medians["torchrun"]
    head = (f"{o.nproc} ranks on {os.cpu_count()} CPUs over Gloo. Each rank imports torch and does one all-reduce; then "
            "rank 1 exits with 1, and the group is restarted. The launchers in turn, medians of "
            f"{o.rounds} rounds, in brackets relative to torchrun; load average at the end {os.getloadavg()[0]:.1f}.")
    if "cold start s" in columns:
        head += " Cold: with an empty page cache, so that Python and PyTorch are read from the disk."
    times = [c for c in ("start s", "cold start s", "restart s") if c in columns]
    names = {"start s": "start to first all-reduce", "cold start s": "the same, cold", "restart s": "death to the next one"}
    lines = [BEGIN, "", *textwrap.wrap(head, 100), "",
             "| launcher | " + " | ".join(names[c] for c in times) + " | PSS of the ranks | PSS of the preloader |",
             "|---" * (len(times) + 3) + "|"]
    for name, m in medians.items():
        cells = [f"{m[c]:.2f} s" + (f" ({base[c] / m[c]:.1f}x)" if name != "torchrun" else "") for c in times]
        whole = m["PSS MB"] + m["preloader MB"]
        cells.append(f"{m['PSS MB']:.0f} MB")
        cells.append(f"{m['preloader MB']:.0f} MB (with the ranks {whole / base['PSS MB']:.2f}x)" if m["preloader MB"] else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", END, ""])


if __name__ == "__main__":
    main()

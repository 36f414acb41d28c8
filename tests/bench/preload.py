"""--preload next to torchrun and to ddp-launch without it, in turn on the same machine.
usage: preload.py DDP_LAUNCH [--rounds N] [--nproc N] [--python PYTHON]

A script that imports torch and does one all-reduce over Gloo; in attempt 0 rank 1 then exits with 1,
and attempt 1 does the same again. Medians of the rounds of
  start    from the start of the launcher to the first all-reduce of rank 0
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
import time

RANK = r"""
import os, sys, time
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
    time.sleep(1000)
"""


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
    parser.add_argument("launch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nproc", default="4")
    parser.add_argument("--python", default="/usr/bin/python3")
    o = parser.parse_args()
    ours = [str(pathlib.Path(o.launch).resolve()), "--nproc", o.nproc, "--max-restarts", "1",
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
                results[name].append(measure(command, script))
    columns = list(results["torchrun"][0])
    print("| launcher | " + " | ".join(columns) + " |\n|---" + "|---" * len(columns) + "|")
    for name, rounds in results.items():
        cells = [f"{statistics.median(r[c] for r in rounds):.2f}" for c in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\nmedians of {o.rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()

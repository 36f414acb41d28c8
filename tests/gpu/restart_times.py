"""From a launch to the first step, and from a rank's death to the first step of the next attempt:
the worker and PyTorch's DDP under ddp-launch, PyTorch's DDP under torchrun, in turn.
usage: restart_times.py WORKER DDP_LAUNCH [--rounds N] [--nproc N] [--python PYTHON] [--quick]
                        [--torch-device cuda|cpu|none] [--figures FILE]

A step holds an all-reduce; the first step of rank 0 is seen when its line is read. The last rank is
killed with SIGKILL after its step 5, and the time counts from the kill. Medians of the rounds, and
the ratio to torchrun's. Without PyTorch the worker alone, and exit code 77.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import facts

DEADLINE = 300
RANK = str(pathlib.Path(__file__).resolve().parent / "torch_rank.py")
TORCHRUN = "PyTorch, torchrun"
LAUNCHED, RESTARTED = "launch to the first step, s", "death to the next step, s"


def run(command):
    """[(time read, line)] of standard output; exits where the command fails."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        timer = threading.Timer(DEADLINE, process.kill)
        timer.start()
        try:
            lines = [(time.monotonic(), line) for line in process.stdout]
            code = process.wait()
        finally:
            timer.cancel()
        if code != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}: exit code {code}\n{errors.read()[-2000:]}")
    return lines


def times(began, steps, died, command):
    """`steps`: when each attempt's first step was read."""
    if len(steps) != 2:
        sys.exit(f"{' '.join(command)}: expected the first step of two attempts, got {len(steps)}")
    return {LAUNCHED: steps[0] - began, RESTARTED: steps[1] - died}


def measure_torch(command):
    began = time.monotonic()
    lines = run(command)
    steps = [at for at, line in lines if "@ step" in line]
    died = [float(line.split("@ died")[1]) for _, line in lines if "@ died" in line]
    if len(died) != 1:
        sys.exit(f"{' '.join(command)}: the rank that dies has said so {len(died)} times")
    return times(began, steps, died[0], command)


def measure_worker(command, launch_log):
    began = time.monotonic()
    lines = run(command)
    steps = [at for at, line in lines if '"event":"step","step":1,' in line]
    events = [json.loads(line) for path in launch_log.glob("*/events.jsonl")
              for line in path.read_text().splitlines()]
    # Its clock is CLOCK_MONOTONIC, as ours.
    killed = [event["t_ns"] / 1e9 for event in events if event["event"] == "fault_injected"]
    if not killed:
        sys.exit(f"{' '.join(command)}: no fault was injected")
    return times(began, steps, killed[-1], command)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("worker")
    parser.add_argument("ddp_launch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nproc", type=int, default=2)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--torch-device", choices=("cuda", "cpu", "none"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="one round, fewer programs")
    parser.add_argument("--figures", type=pathlib.Path)
    o = parser.parse_args()
    nproc = str(o.nproc)
    launch = [str(pathlib.Path(o.ddp_launch).resolve()), "--nproc", nproc, "--max-restarts", "1",
              "--backoff", "0", "--output", "raw", "--oversubscribe"]
    script = [o.python, RANK, o.torch_device]
    torch_commands = {
        TORCHRUN: [o.python, "-m", "torch.distributed.run", "--nproc_per_node", nproc,
                   "--max_restarts", "1", "--monitor_interval", "0.1",
                   # "none": PyTorch 1.13 cannot read its own default under Python 3.11.
                   "-r", "9:1", "-t", "9:1", *script[1:]],
        "PyTorch, ddp-launch": [*launch, "--", *script],
        "PyTorch, ddp-launch --preload": [*launch, "--preload", "torch,torch.distributed", "--",
                                          *script]}
    if o.quick:
        del torch_commands["PyTorch, ddp-launch"]
    if o.torch_device == "none":
        torch_commands = {}
    worker = "worker, ddp-launch"
    results = {name: [] for name in (worker, *torch_commands)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        data = folder / "text"
        data.write_bytes(pathlib.Path(__file__).read_bytes())
        for number in range(1 if o.quick else o.rounds):
            log = folder / f"log-{number}"
            results[worker].append(measure_worker(
                [*launch, "--log-dir", str(log), "--inject", f"kill@step=5,rank={o.nproc - 1}",
                 "--", o.worker, "--data", str(data), "--backend", "nccl", "--steps", "8", "--json",
                 "--log-every", "1", "--hidden", "64", "--batch", "32", "--grad-clip", "0"], log))
            for name, command in torch_commands.items():
                results[name].append(measure_torch(command))
            print(f"round {number + 1}: " + "; ".join(
                f"{name} {r[-1][LAUNCHED]:.2f} s, {r[-1][RESTARTED]:.2f} s"
                for name, r in results.items()), flush=True)
    figures = summary(results, o, len(facts.devices()))
    for row in figures:
        print(", ".join(f"{key}: {value}" for key, value in row.items()), flush=True)
    if o.figures:
        o.figures.write_text(json.dumps(figures))
    if not torch_commands:
        print("no PyTorch with CUDA here: the worker alone was measured")
        sys.exit(77)


def summary(results, o, devices):
    medians = {name: {key: statistics.median(r[key] for r in rounds)
                      for key in (LAUNCHED, RESTARTED)} for name, rounds in results.items()}
    base = medians.get(TORCHRUN)
    rows = []
    for name, m in medians.items():
        row = {"program": name, "ranks": o.nproc, "devices": devices}
        for key in (LAUNCHED, RESTARTED):
            row[key] = round(m[key], 3)
            if base is not None:
                row[f"{key.partition(' ')[0]}: times as fast as torchrun"] = round(base[key] / m[key], 2)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs plans of the shipped campaign (examples/campaign) with the project's own worker.

    campaign.py --bin DIR [--plans kill,exit,… | --quick] [--without-faults] [--junit FILE] [--log-dir DIR]
                [--simulated-gpu]

With --without-faults, the negative control: every fault is taken out of the plans, and exactly those
must still be met that expect no failure. With --simulated-gpu, DIR is gpu_sim/bin of a build, and the
ranks share one device. Exit status 0 when all is as it should be.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANS = ROOT / "examples" / "campaign"
# 30 steps of a small model, a checkpoint every 10: the plans rely on these.
OPTIONS = ["--nproc", "3", "--max-restarts", "3", "--backoff", "0", "--crash-loop", "0"]
WORKER = ["worker", "--data", "README.md", "--backend", "gloo", "--steps", "30", "--checkpoint-dir", "{dir}/checkpoints",
          "--checkpoint-every", "10", "--log-every", "10"]

# On a simulated GPU a thread of a kernel costs as much as a function call.
SIMULATED = {"nccl": ["--embed", "8", "--hidden", "24", "--batch", "24", "--grad-clip", "0"],
             "launch": ["--oversubscribe"]}

SLOW = {"cpu-time", "spawn-too-late"}  # several seconds each


def expects_no_failure(text):
    expect = tomllib.loads(text)["expect"]
    return expect.get("exit", 0) == 0 and expect.get("restarts") == 0


def met(junit):
    """{plan: met} of a JUnit file."""
    suites = xml.etree.ElementTree.parse(junit).getroot().findall("testsuite")
    return {suite.get("name"): suite.get("failures") == "0" for suite in suites}


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="where ddp-launch and worker are")
    parser.add_argument("--plans", help="names, separated by commas; all without it")
    parser.add_argument("--quick", action="store_true", help="all but the slow ones")
    parser.add_argument("--without-faults", action="store_true")
    parser.add_argument("--simulated-gpu", action="store_true")
    parser.add_argument("--junit")
    parser.add_argument("--log-dir")
    arguments = parser.parse_args()

    names = arguments.plans.split(",") if arguments.plans else sorted(plan.stem for plan in PLANS.glob("*.toml"))
    if arguments.quick:
        names = [name for name in names if name not in SLOW]
    environment = dict(os.environ, PATH=f"{arguments.bin.resolve()}:{os.environ['PATH']}")
    options, worker = OPTIONS, WORKER
    if arguments.simulated_gpu:
        environment["LD_LIBRARY_PATH"] = str(arguments.bin.resolve().parent / "lib")
        # Memory is asked of the system each time, not of what streams have freed or their arenas hold.
        environment.update(MALLOC_MMAP_THRESHOLD_="65536", MALLOC_ARENA_MAX="1")
        options = OPTIONS + SIMULATED["launch"]
        worker = [*("nccl" if word == "gloo" else word for word in WORKER), *SIMULATED["nccl"]]
    with tempfile.TemporaryDirectory() as scratch:
        plans = pathlib.Path(scratch) / "plans"
        plans.mkdir()
        expected = {}
        for name in names:
            # This process, and so the worker, may not be allowed to use core 0.
            text = (PLANS / f"{name}.toml").read_text(encoding="utf-8").replace(
                "pin=0@", f"pin={min(os.sched_getaffinity(0))}@")
            if arguments.without_faults:
                kept = [line for line in text.splitlines() if not line.startswith("fault = [")]
                assert len(kept) == len(text.splitlines()) - 1, f"{name}: expected one line of faults"
                text = "\n".join(kept) + "\n"
            if arguments.simulated_gpu and name == "bitflip":
                # Noticed by the norm of the gradient, whose kernel is the slowest there. The element that the seed
                # draws has no gradient in so small a model.
                command = [*worker, "--grad-clip", "1", "--steps", "14"]
                text = text.replace("rank=1", "rank=1,choice=5")
                text += f"\n[launch]\ncommand = {json.dumps(command)}\n"
            if arguments.simulated_gpu and name == "memory":
                # A checkpoint of so small a model fits into memory that was freed before; a larger one is asked of
                # the system.
                text += f"\n[launch]\ncommand = {json.dumps([*worker, '--hidden', '384', '--steps', '12'])}\n"
            (plans / f"{name}.toml").write_text(text, encoding="utf-8")
            expected[name] = expects_no_failure(text) if arguments.without_faults else True
        junit = arguments.junit or str(pathlib.Path(scratch) / "campaign.xml")
        keep = ["--log-dir", os.path.abspath(arguments.log_dir)] if arguments.log_dir else []
        code = subprocess.run(
            [arguments.bin.resolve() / "ddp-launch", "--campaign", plans, "--junit", os.path.abspath(junit), *keep,
             *options, "--", *worker],
            env=environment, cwd=ROOT, check=False).returncode
        found = met(junit) if code in (0, 73) else {}
    for name in names:
        if found.get(name) != expected[name]:
            print(f"campaign.py: {name}: expected {'met' if expected[name] else 'NOT MET'}")
    as_expected = found == expected and code == (0 if all(expected.values()) else 73)
    print(f"campaign.py: exit code {code}; {'as it should be' if as_expected else 'not as it should be'}")
    return 0 if as_expected else 1


sys.exit(main())

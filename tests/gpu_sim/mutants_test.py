"""Each mutant of the GPU half must be noticed by one of the checks below, and the original by none.
usage: mutants_test.py BUILD_DIRECTORY GPU_SIM_DIRECTORY MUTANTS_DIRECTORY [NAME…]"""
import json
import os
import pathlib
import subprocess
import sys

from harness import Simulation, worst
from mutants import HANG, MUTANTS, NOTICED_BY

RANKS = 2
BOUND = 1e-5  # fp32 sums in another order
STEPS = ["--steps", "8"]
# No run of a check takes a tenth of this; what hangs is noticed.
DEADLINE = 30 * int(os.environ.get("DDP_TEST_TIMEOUT_SCALE", "1"))


def train(sim, *flags, **options):
    return sim.train(RANKS, *STEPS, *flags, timeout=DEADLINE, **options)


def as_on_the_cpu(sim, cpu):
    for seed in ("1", "2", "3"):
        assert worst(train(sim, DDP_SIM_SEED=seed).losses, cpu.losses) < BOUND, "other losses"


def order_does_not_show(sim, cpu):
    flags = ["--hidden", "512", "--steps", "3"]  # several buckets
    digests = {train(sim, *flags, DDP_SIM_SEED=seed).digest for seed in ("1", "2")}
    digests.add(train(sim, *flags, "--no-overlap", DDP_SIM_SEED="3").digest)
    assert len(digests) == 1, "other parameters in another order"


def ends_at_its_deadline(sim, cpu):
    run = sim.run(RANKS, *STEPS, "--comm-timeout", "500ms", DDP_SIM_NCCL_HANG="1@4",
                  timeout=DEADLINE)
    assert run.code == 1 and "not complete within 500 ms" in run.errors, run.errors
    assert "the device does not stop" not in run.errors, run.errors


def notices_a_death(sim, cpu):
    """Without a stop request: the launcher's comes after it."""
    kept = sim.checkpoints("death", every=1)
    run = sim.run(RANKS, *STEPS, *kept, timeout=DEADLINE, grace="60s",
                  launch=["--max-restarts", "1", "--inject", "kill@step=4,rank=1"])
    assert run.code == 0 and "rank 1 is gone" in run.errors, run.errors


def ends_though_the_device_does_not(sim, cpu):
    run = sim.run(RANKS, *STEPS, "--comm-timeout", "500ms", DDP_SIM_NCCL_HANG="1@4",
                  DDP_SIM_NCCL_ABORT_HANGS="1", grace="60s", timeout=DEADLINE)
    assert run.code == 1 and "the device does not stop" in run.errors, run.errors


CHECKS = [as_on_the_cpu, order_does_not_show, ends_at_its_deadline, notices_a_death,
          ends_though_the_device_does_not]


def objection(root, cpu, only=None):
    """(name of the first check that fails, what it says); None where all pass."""
    for check in CHECKS:
        if only not in (None, check.__name__):
            continue
        try:
            with Simulation(root) as sim:
                check(sim, cpu)
        except subprocess.TimeoutExpired:
            return check.__name__, f"not over after {DEADLINE} s"
        except (AssertionError, json.JSONDecodeError) as error:
            lines = str(error).splitlines() or [""]
            said = [line for line in lines if "gpu_sim:" in line or "worker:" in line]
            return check.__name__, (said or lines)[0][:160]
    return None


def main():
    build, original, mutants = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
    only = sys.argv[4:]
    built = subprocess.run(["cmake", "--build", build, "--target", "gpu_sim_mutants"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert built.returncode == 0, built.stdout
    # A mutant's directory has its library and a worker next to it; all else is the original's.
    os.environ["DDP_SIM_LAUNCH"] = str(original / "bin" / "ddp-launch")
    os.environ["LD_LIBRARY_PATH"] = str(original / "lib")
    with Simulation(original) as sim:
        cpu = train(sim, backend="gloo")
    unexpected = objection(original, cpu)
    assert unexpected is None, f"the original: {unexpected}"
    survivors = []
    for name in only or MUTANTS:
        check = NOTICED_BY.get(name, "as_on_the_cpu")
        found = objection(mutants / name, cpu, only=check)
        if found is None or found[1].startswith("not over") and name not in HANG:
            survivors.append(name)
        print(f"{name:24} {found[1] if found else 'NOT NOTICED'}", flush=True)
    assert not survivors, survivors


main()

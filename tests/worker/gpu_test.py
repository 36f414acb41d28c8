"""The worker on a GPU, started by ddp-launch: against itself on the CPU, repeated, cut in two by a
checkpoint, killed and restarted, and with faults inside NCCL's collectives.
usage: gpu_test.py WORKER DDP_LAUNCH [--part ranks|restarts|collectives] [--quick] [--figures FILE]
Ends with 77, CTest's "skipped", where there is no device.

Several ranks run in each way that is possible here: on a device each; on one device with an
NCCL_HOSTID for each rank; on one device with NCCL_MULTI_RANK_GPU_ENABLE, which NCCL reads from 2.30.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gpu"))
import facts  # noqa: E402

# fp32 sums in another order, over 50 steps of training: as between the worker and PyTorch's DDP
# (docs/worker.md). A sum that lacks one of its values is off by more.
BOUND = 1e-4
BF16_BOUND = 0.05
MULTI_RANK_NCCL = 23000


@dataclasses.dataclass
class Sizes:
    steps: int
    fault_step: int
    checkpoint_every: int
    comm_timeout: str  # where one is to pass
    model: typing.List[str]


FULL = Sizes(50, 12, 5, "5s", ["--batch", "64", "--hidden", "256", "--layers", "2"])
# A simulated device takes most of its time for the norm and for the validation, so without them.
QUICK = Sizes(8, 5, 2, "1500ms", ["--batch", "16", "--lr", "0.02", "--warmup", "0", "--hidden", "16",
                        "--layers", "2", "--context", "4", "--embed", "8", "--grad-clip", "0",
                        "--held-out", "0"])


@dataclasses.dataclass
class Way:
    """How several ranks come to their devices."""
    name: str
    launch: typing.List[str]
    prefix: typing.List[str]  # before the worker: exec'd, so that it becomes the worker
    env: typing.Dict[str, str]


def ways(world, devices):
    """Those that are possible here."""
    if world == 1:
        return [Way("alone", [], [], {})]
    # ddp-launch sets both variables; the one that is not to be used is taken away.
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    one = {"CUDA_VISIBLE_DEVICES": first}
    shared = [Way("one device, NCCL_HOSTID", ["--oversubscribe"],
                  ["env", "-u", "NCCL_MULTI_RANK_GPU_ENABLE"], one)]
    if facts.nccl_version() >= MULTI_RANK_NCCL:
        shared.append(Way("one device, NCCL_MULTI_RANK_GPU_ENABLE", ["--oversubscribe"],
                          ["env", "-u", "NCCL_HOSTID"], one))
    return [*shared, Way("a device each", [], [], {})] if devices >= world else shared


def losses(lines):
    return [line["loss"] for line in lines if line["event"] == "step"]


def digest(lines):
    return next(line["digest"] for line in lines if line["event"] == "summary")


def worst(a, b):
    assert a and len(a) == len(b), (a, b)
    return max(abs(x - y) / abs(y) for x, y in zip(a, b))


def round_off(value):
    return float(f"{value:.2g}")


class Launcher:
    def __init__(self, worker, ddp_launch, folder, sizes):
        self.worker, self.ddp_launch = (str(pathlib.Path(p).resolve()) for p in (worker, ddp_launch))
        self.folder, self.sizes = pathlib.Path(folder), sizes
        self.data = self.folder / "text"
        self.data.write_bytes(pathlib.Path(__file__).read_bytes() * 4)
        self.kept = 0

    def run(self, world, way, *flags, launch=()):
        """Exit code, rank 0's JSON lines and what stands on stderr."""
        done = subprocess.run(
            [self.ddp_launch, "--nproc", str(world), *way.launch, "--output", "raw", "--backoff",
             "1ms", "--shutdown-timeout", "2s", *launch, "--", *way.prefix, self.worker, "--data",
             str(self.data), "--json", "--log-every", "1", "--steps", str(self.sizes.steps),
             *self.sizes.model, "--comm-timeout", "20s", *flags],
            capture_output=True, text=True, timeout=300, env={**os.environ, **way.env})
        lines = [json.loads(x) for x in done.stdout.splitlines() if x.startswith("{")]
        return done.returncode, lines, done.stderr

    def train(self, world, way, *flags, launch=(), backend="nccl"):
        code, lines, errors = self.run(world, way, "--backend", backend, *flags, launch=launch)
        assert code == 0, f"{world} rank(s), {way.name}, {flags}, {launch}: {code}\n{errors}"
        assert all(line["backend"] in (backend, "single") for line in lines
                   if line["event"] == "start"), lines
        return lines

    def checkpoints(self):
        """Flags for a new folder."""
        self.kept += 1
        return ["--checkpoint-dir", str(self.folder / f"kept-{self.kept}"), "--checkpoint-every",
                str(self.sizes.checkpoint_every)]


def ranks(launcher, world, way, cpu):
    """The CPU's losses; repeated, without overlap and cut in two, the same to the bit."""
    gpu = launcher.train(world, way)
    difference = worst(losses(gpu), losses(cpu))
    assert difference < BOUND, f"difference to the CPU {difference:.2e}"
    assert digest(launcher.train(world, way)) == digest(gpu), "not the same when repeated"
    assert digest(launcher.train(world, way, "--no-overlap")) == digest(gpu), \
        "not the same without overlap"
    kept = launcher.checkpoints()
    launcher.train(world, way, "--steps", str(launcher.sizes.fault_step), *kept)
    assert digest(launcher.train(world, way, *kept)) == digest(gpu), "not the same when cut in two"
    yield {"difference to the CPU": round_off(difference),
           "repeated, without overlap, cut in two": "same to the bit"}


def recovered(launcher, world, way, faults):
    """With each fault and one restart: the digest of the undisturbed run."""
    undisturbed = digest(launcher.train(world, way))
    for kind in faults:
        fault = f"{kind}@step={launcher.sizes.fault_step},rank={world - 1}"
        lines = launcher.train(world, way, *launcher.checkpoints(),
                               launch=["--max-restarts", "1", "--inject", fault])
        starts = [line for line in lines if line["event"] == "start"]
        assert len(starts) == 2, f"{fault} did not cost an attempt"
        assert digest(lines) == undisturbed, f"{fault}: another digest"
        yield {"fault": kind, "outcome": "restarted, the undisturbed digest"}


def restarts(launcher, world, way, _):
    yield from recovered(launcher, world, way, ("kill", "nan"))


def collectives(launcher, world, way, _):
    yield from recovered(launcher, world, way, ("die-in-allreduce",))
    if world == 1:
        return
    # A deadlock is not a silent hang: every rank reports the collective at its deadline.
    step = launcher.sizes.fault_step
    code, _, errors = launcher.run(
        world, way, "--backend", "nccl", "--comm-timeout", launcher.sizes.comm_timeout,
        launch=["--inject", f"skip-allreduce@step={step},rank={world - 1}"])
    assert code == 1, (code, errors)
    assert f"the all-reduce of bucket 0 in step {step} failed" in errors, errors
    yield {"fault": "skip-allreduce", "outcome": "reported after --comm-timeout"}


def too_many(launcher, devices):
    """Without --oversubscribe more ranks than devices is an error with the way out."""
    code, _, errors = launcher.run(devices + 1, Way("too few", [], [], {}), "--backend", "nccl")
    assert code == 2 and "--oversubscribe" in errors, (code, errors)
    yield {"outcome": "refused, names --oversubscribe"}


def bf16(launcher, cpu):
    low = launcher.train(1, ways(1, 1)[0], "--dtype", "bf16")
    difference = worst(losses(low), losses(cpu))
    assert difference < BF16_BOUND, f"difference to the CPU {difference:.2e}"
    yield {"difference to the CPU": round_off(difference)}


PARTS = {"ranks": ranks, "restarts": restarts, "collectives": collectives}


def checks(launcher, part, worlds, devices, cpu):
    """(ranks, the devices they have, the part's entries)"""
    if part == "ranks":  # what is not asked of every number of ranks
        yield devices + 1, "too few", too_many(launcher, devices)
        yield 1, "alone, bf16", bf16(launcher, cpu)
    for world in worlds:
        for way in ways(world, devices):
            yield world, way.name, PARTS[part](launcher, world, way, cpu)


def examine(launcher, parts, worlds, devices, cpu, keep):
    """The number of failures; `keep` receives all that was found, after each part."""
    found, failures = [], 0
    for part in parts:
        for world, name, entries in checks(launcher, part, worlds, devices, cpu):
            # A failure does not keep the rest from being seen.
            try:
                for entry in entries:
                    found.append({"ranks": world, "devices": name, **entry})
                    print(", ".join(f"{key}: {value}" for key, value in found[-1].items()), flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failures += 1
                print(f"FAILED: {part}, {world} rank(s), {name}: {error}", flush=True)
        keep(found)
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("worker")
    parser.add_argument("ddp_launch")
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--quick", action="store_true", help="a small model, few steps, 1 and 2 ranks")
    parser.add_argument("--figures", type=pathlib.Path)
    o = parser.parse_args()
    why_not = facts.why_no_device()
    if why_not:
        print(f"skipped: {why_not}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        launcher = Launcher(o.worker, o.ddp_launch, folder, QUICK if o.quick else FULL)
        cpu = launcher.train(1, Way("CPU", [], [], {}), backend="gloo")
        assert losses(cpu)[-1] < losses(cpu)[0]
        failures = examine(
            launcher, o.part or PARTS, (1, 2) if o.quick else (1, 2, 4), len(facts.devices()), cpu,
            lambda found: o.figures and o.figures.write_text(json.dumps(found)))
    if failures:
        sys.exit(f"{failures} of the above failed")


if __name__ == "__main__":
    main()

"""The worker on a GPU, started by ddp-launch: against itself on the CPU, repeated, cut in two by a
checkpoint, killed and restarted, and with faults inside NCCL's collectives.
usage: gpu_test.py WORKER DDP_LAUNCH. Ends with 77, CTest's "skipped", where there is no device.

With fewer devices than ranks the ranks share them (--oversubscribe).
"""
import json
import pathlib
import subprocess
import sys
import tempfile

# fp32 sums in another order, over 50 steps of training.
BOUND = 1e-3
BF16_BOUND = 0.05
STEPS = 50


def losses(lines):
    found = [line["loss"] for line in lines if line["event"] == "step"]
    assert len(found) == STEPS, found
    return found


def digest(lines):
    return next(line["digest"] for line in lines if line["event"] == "summary")


def worst(a, b):
    return max(abs(x - y) / abs(y) for x, y in zip(a, b))


def device_count():
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return 0
    return listed.stdout.count("GPU ") if listed.returncode == 0 else 0


class Launcher:
    def __init__(self, worker, ddp_launch, folder):
        self.worker, self.ddp_launch, self.folder = worker, ddp_launch, pathlib.Path(folder)
        self.data = self.folder / "text"
        self.data.write_bytes(pathlib.Path(__file__).read_bytes() * 4)

    def run(self, world, *flags, launch=()):
        """Exit code, rank 0's JSON lines and what stands on stderr."""
        done = subprocess.run(
            [self.ddp_launch, "--nproc", str(world), "--oversubscribe", "--output", "raw",
             "--backoff", "1ms", "--shutdown-timeout", "2s", *launch, "--", self.worker, "--data",
             str(self.data), "--json", "--log-every", "1", "--steps", str(STEPS), "--batch", "64",
             "--hidden", "256", "--layers", "2", "--comm-timeout", "20s", *flags],
            capture_output=True, text=True, timeout=300)
        lines = [json.loads(x) for x in done.stdout.splitlines() if x.startswith("{")]
        return done.returncode, lines, done.stderr

    def train(self, world, *flags, launch=()):
        code, lines, errors = self.run(world, *flags, launch=launch)
        assert code == 0, f"{world} rank(s), {flags}, {launch}: {code}\n{errors}"
        return lines

    def checkpoints(self, name):
        return ["--checkpoint-dir", str(self.folder / name), "--checkpoint-every", "5"]


def exact(launcher, world, cpu):
    gpu = launcher.train(world, "--backend", "nccl")
    again = launcher.train(world, "--backend", "nccl")
    difference = worst(losses(gpu), losses(cpu))
    print(f"{world} rank(s) on {gpu[0]['device']}: difference to the CPU {difference:.2e}")
    assert difference < BOUND
    assert digest(gpu) == digest(again), "not the same to the bit when repeated"
    waiting = launcher.train(world, "--backend", "nccl", "--no-overlap")
    assert digest(gpu) == digest(waiting), "not the same to the bit without overlap"
    # Cut in two by a checkpoint, the run is the same.
    kept = launcher.checkpoints(f"cut-{world}")
    launcher.train(world, "--backend", "nccl", "--steps", "20", *kept)
    assert digest(launcher.train(world, "--backend", "nccl", *kept)) == digest(gpu)
    return digest(gpu)


def faulty(launcher, world, undisturbed):
    """Killed between steps, or inside an all-reduce, and restarted: the undisturbed digest."""
    last = world - 1
    for fault in (f"kill@step=12,rank={last}", f"die-in-allreduce@step=12,rank={last}",
                  f"nan@step=12,rank={last}"):
        lines = launcher.train(world, "--backend", "nccl",
                               *launcher.checkpoints(f"{fault.split('@')[0]}-{world}"),
                               launch=["--max-restarts", "1", "--inject", fault])
        starts = [line for line in lines if line["event"] == "start"]
        assert len(starts) == 2, f"{fault} did not cost an attempt"
        assert digest(lines) == undisturbed, f"{fault}: another digest"
        print(f"{world} rank(s), {fault}: restarted, the undisturbed digest")
    if world == 1:
        return
    # A deadlock is not a silent hang: every rank reports the collective at its deadline.
    code, _, errors = launcher.run(world, "--backend", "nccl", "--comm-timeout", "5s", launch=[
        "--inject", f"skip-allreduce@step=12,rank={last}"])
    assert code == 1, (code, errors)
    assert "the all-reduce of bucket 0 in step 12 failed" in errors, errors
    print(f"{world} rank(s), skip-allreduce: reported after --comm-timeout")


def refused(launcher, devices):
    """Without --oversubscribe more ranks than devices is an error with the way out."""
    done = subprocess.run([launcher.ddp_launch, "--nproc", str(devices + 1), "--", launcher.worker,
                           "--data", str(launcher.data), "--backend", "nccl"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "--oversubscribe" in done.stderr, (done.returncode, done.stderr)


def main():
    devices = device_count()
    if devices == 0:
        print("skipped: no GPU")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        launcher = Launcher(*sys.argv[1:3], folder)
        refused(launcher, devices)
        cpu = launcher.train(1, "--backend", "gloo")
        assert losses(cpu)[-1] < 0.9 * losses(cpu)[0]
        for world in (1, 2, 4):
            faulty(launcher, world, exact(launcher, world, cpu))
        low = launcher.train(1, "--backend", "nccl", "--dtype", "bf16")
        difference = worst(losses(low), losses(cpu))
        print(f"bf16: difference to the CPU {difference:.2e}")
        assert difference < BF16_BOUND


if __name__ == "__main__":
    main()

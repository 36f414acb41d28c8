"""The worker on a GPU against itself on the CPU. usage: gpu_test.py WORKER. Ends with 77, CTest's
"skipped", where there is no device."""
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "parity"))
import ranks  # noqa: E402

# fp32 sums in another order, over 50 steps of training.
BOUND = 1e-3


def losses(lines):
    return [line["loss"] for line in lines if line["event"] == "step"]


def digest(lines):
    return next(line["digest"] for line in lines if line["event"] == "summary")


def worst(a, b):
    assert len(a) == len(b) == 50
    return max(abs(x - y) / abs(y) for x, y in zip(a, b))


def devices():
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return 0
    return listed.stdout.count("GPU ") if listed.returncode == 0 else 0


def main():
    count = devices()
    if count == 0:
        print("skipped: no GPU")
        sys.exit(77)
    worker = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "text")
        data.write_bytes(pathlib.Path(__file__).read_bytes() * 4)
        flags = ["--data", str(data), "--json", "--log-every", "1", "--steps", "50", "--batch",
                 "64", "--hidden", "256", "--layers", "2"]

        def train(world, *more):
            return ranks.run(world, [worker, *flags, *more])

        cpu = train(1, "--backend", "gloo")
        assert losses(cpu)[-1] < 0.9 * losses(cpu)[0]
        for world in (1, 2, 4):
            if world > count:
                print(f"{world} ranks: not run, {count} device(s)")
                continue
            gpu = train(world, "--backend", "nccl")
            again = train(world, "--backend", "nccl")
            difference = worst(losses(gpu), losses(cpu))
            print(f"{world} rank(s) on {gpu[0]['device']}: difference to the CPU {difference:.2e}")
            assert difference < BOUND
            assert digest(gpu) == digest(again), "not the same to the bit when repeated"
            # Cut in two by a checkpoint, the run is the same.
            directory = ["--checkpoint-dir", str(pathlib.Path(folder, f"checkpoints-{world}"))]
            train(world, "--backend", "nccl", "--steps", "20", *directory)
            assert digest(train(world, "--backend", "nccl", *directory)) == digest(gpu)
        low = train(1, "--backend", "nccl", "--dtype", "bf16")
        print(f"bf16: difference to the CPU {worst(losses(low), losses(cpu)):.2e}")
        assert worst(losses(low), losses(cpu)) < 0.05


if __name__ == "__main__":
    main()

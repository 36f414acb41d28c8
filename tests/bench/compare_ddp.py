"""The worker next to PyTorch's DDP on the CPU over Gloo: same model, sizes, samples and thread
counts, in turn on the same machine. usage: compare_ddp.py WORKER [--rounds N] [--steps N]

Prints the median step of each, the median over the rounds, and how many times as fast the worker
is. Both exclude start-up; PyTorch draws its samples beforehand, the worker draws them in the step.
Both multiply with OpenBLAS, and PyTorch is given the kernels the worker chooses for itself
(OPENBLAS_CORETYPE): left alone, Debian 12's OpenBLAS takes a newer processor for one of 2004.
"""
import argparse
import os
import pathlib
import statistics
import sys
import tempfile

PARITY = pathlib.Path(__file__).resolve().parent.parent / "parity"
sys.path.insert(0, str(PARITY))
import ranks  # noqa: E402

SIZES = {
    "small": ["--context", "16", "--embed", "32", "--hidden", "256", "--layers", "2",
              "--batch", "256"],
    "medium": ["--context", "16", "--embed", "64", "--hidden", "512", "--layers", "4",
               "--batch", "256"],
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("worker")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--sizes", default="small,medium")
    parser.add_argument("--worlds", default="1,2,4")
    o = parser.parse_args()
    with tempfile.NamedTemporaryFile() as data:
        data.write(b"".join(p.read_bytes() for p in sorted(PARITY.glob("*.py"))) * 4)
        data.flush()
        start = ranks.run(1, [o.worker, "--data", data.name, "--steps", "1", "--json"])[0]
        core = start["device"].removeprefix("CPU: ").split(",")[0]
        os.environ.setdefault("OPENBLAS_CORETYPE", core)
        print(f"OpenBLAS kernels: {os.environ['OPENBLAS_CORETYPE']}; 1 thread a rank")
        print(f"{'size':8} {'ranks':>5} {'worker ms':>10} {'PyTorch ms':>11} {'ratio':>6}")
        for size in o.sizes.split(","):
            for world in map(int, o.worlds.split(",")):
                flags = ["--data", data.name, "--steps", str(o.steps), *SIZES[size]]
                ours, theirs = [], []
                for _ in range(o.rounds):
                    lines = ranks.run(world, [o.worker, *flags, "--backend", "gloo", "--json",
                                              "--log-every", "1"])
                    ours.append(ranks.median_ms(lines))
                    lines = ranks.run(world, [sys.executable, str(PARITY / "torch_worker.py"),
                                              *flags])
                    theirs.append(lines[-1]["median_ms"])
                a, b = statistics.median(ours), statistics.median(theirs)
                print(f"{size:8} {world:5} {a:10.2f} {b:11.2f} {b / a:6.2f}", flush=True)


if __name__ == "__main__":
    main()

"""The worker on one GPU next to PyTorch on the same: hidden 4096, 8 layers, in bf16 and fp32, in turn.
usage: compare_gpu.py WORKER GPU_PEAK [--rounds N] [--steps N]

Prints the median step of each and the share of the matrix peak that it achieves, the peak as
GPU_PEAK (tests/bench/gpu_peak.cpp) measures it there and then. Without PyTorch, or with one that
has no CUDA, the worker alone.
"""
import argparse
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

PARITY = pathlib.Path(__file__).resolve().parent.parent / "parity"
sys.path.insert(0, str(PARITY))
import ranks  # noqa: E402

CONTEXT, EMBED, HIDDEN, LAYERS, BATCH = 16, 256, 4096, 8, 4096
SIZES = ["--context", str(CONTEXT), "--embed", str(EMBED), "--hidden", str(HIDDEN), "--layers",
         str(LAYERS), "--batch", str(BATCH)]
WEIGHTS = CONTEXT * EMBED * HIDDEN + (LAYERS - 1) * HIDDEN * HIDDEN + HIDDEN * 256
# A multiplication and an addition for each weight and sample, forward and twice backward.
TFLOP = 6 * WEIGHTS * BATCH / 1e12


def torch_has_cuda():
    if importlib.util.find_spec("torch") is None:
        return False
    import torch
    return torch.cuda.is_available()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("worker")
    parser.add_argument("gpu_peak")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    o = parser.parse_args()
    with tempfile.NamedTemporaryFile() as data:
        data.write(b"".join(p.read_bytes() for p in sorted(PARITY.glob("*.py"))) * 4)
        data.flush()
        flags = ["--data", data.name, "--steps", str(o.steps), *SIZES]
        with_torch = torch_has_cuda()
        if not with_torch:
            print("no PyTorch with CUDA here: the worker alone")
        print(f"{'type':5} {'program':8} {'ms/step':>9} {'TFLOP/s':>8} {'peak':>8} {'share':>6}")
        for kind in ("bf16", "fp32"):
            peak = json.loads(subprocess.run([o.gpu_peak], check=True, capture_output=True,
                                             text=True, timeout=300).stdout)[kind]
            times = {"worker": [], "PyTorch": []}
            for _ in range(o.rounds):
                times["worker"].append(ranks.median_ms(ranks.run(1, [
                    o.worker, *flags, "--backend", "nccl", "--dtype", kind, "--json", "--log-every",
                    "1"])))
                if with_torch:
                    times["PyTorch"].append(ranks.run(1, [
                        sys.executable, str(PARITY / "torch_worker.py"), *flags, "--device", "cuda",
                        "--dtype", kind])[-1]["median_ms"])
            for program, each in times.items():
                if each:
                    ms = statistics.median(each)
                    speed = TFLOP / ms * 1e3
                    print(f"{kind:5} {program:8} {ms:9.2f} {speed:8.1f} {peak:8.1f} "
                          f"{speed / peak:6.1%}", flush=True)


if __name__ == "__main__":
    main()

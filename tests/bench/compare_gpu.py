"""The worker on one GPU next to PyTorch on the same: hidden 4096, 8 layers, in bf16 and fp32, in turn.
usage: compare_gpu.py WORKER GPU_PEAK [--rounds N] [--steps N] [--python PYTHON] [--quick]
                      [--torch-device cuda|cpu|none] [--figures FILE]

Prints the median step of each and the share of the matrix peak that it achieves, the peak as
GPU_PEAK (tests/bench/gpu_peak.cpp) measures it there and then. Without PyTorch, or with one that
has no CUDA, the worker alone, and exit code 77.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

PARITY = pathlib.Path(__file__).resolve().parent.parent / "parity"
sys.path.insert(0, str(PARITY))
import ranks  # noqa: E402


class Sizes:
    def __init__(self, context, embed, hidden, layers, batch, square, *more):
        self.flags = [*more, "--context", str(context), "--embed", str(embed), "--hidden", str(hidden),
                      "--layers", str(layers), "--batch", str(batch)]
        weights = context * embed * hidden + (layers - 1) * hidden * hidden + hidden * 256
        # A multiplication and an addition for each weight and sample, forward and twice backward.
        self.tflop = 6 * weights * batch / 1e12
        self.square = str(square)  # the sides of the peak's matrices


FULL = Sizes(16, 256, 4096, 8, 4096, 8192)
# A simulated device takes most of its time for the norm and for the validation, so without them.
QUICK = Sizes(4, 8, 32, 2, 32, 64, "--grad-clip", "0", "--held-out", "0")


def torch_has_cuda(python):
    return subprocess.run([python, "-c", "import sys, torch; sys.exit(not torch.cuda.is_available())"],
                          stderr=subprocess.DEVNULL, timeout=300).returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("worker")
    parser.add_argument("gpu_peak")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--torch-device", choices=("cuda", "cpu", "none"),
                        help="cuda where PyTorch has it, else none; cpu only shows that this runs")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--figures", type=pathlib.Path)
    o = parser.parse_args()
    sizes = QUICK if o.quick else FULL
    rounds, steps = (1, 4) if o.quick else (o.rounds, o.steps)
    device = o.torch_device or ("cuda" if torch_has_cuda(o.python) else "none")
    figures = []
    with tempfile.NamedTemporaryFile() as data:
        data.write(b"".join(p.read_bytes() for p in sorted(PARITY.glob("*.py"))) * 4)
        data.flush()
        flags = ["--data", data.name, "--steps", str(steps), *sizes.flags]
        print(f"{'type':5} {'program':12} {'ms/step':>9} {'TFLOP/s':>8} {'peak':>8} {'share':>6}",
              flush=True)
        for kind in ("bf16", "fp32"):
            peak = json.loads(subprocess.run([o.gpu_peak, sizes.square], check=True,
                                             stdout=subprocess.PIPE, text=True,
                                             timeout=300).stdout)[kind]
            torch = "PyTorch" if device == "cuda" else "PyTorch, CPU"
            times = {"worker": [], torch: []}
            for _ in range(rounds):
                times["worker"].append(ranks.median_ms(ranks.run(1, [
                    o.worker, *flags, "--backend", "nccl", "--dtype", kind, "--json", "--log-every",
                    "1"])))
                if device != "none":
                    times[torch].append(ranks.run(1, [
                        o.python, str(PARITY / "torch_worker.py"), *flags, "--device", device,
                        "--dtype", kind])[-1]["median_ms"])
            for program, each in times.items():
                if each:
                    ms = statistics.median(each)
                    speed = sizes.tflop / ms * 1e3
                    print(f"{kind:5} {program:12} {ms:9.2f} {speed:8.1f} {peak:8.1f} "
                          f"{speed / peak if peak else 0:6.1%}", flush=True)
                    figures.append({"type": kind, "program": program, "ms a step": ms,
                                    "TFLOP/s": speed, "peak TFLOP/s": peak,
                                    "share of the peak": speed / peak if peak else None})
    if o.figures:
        o.figures.write_text(json.dumps(figures))
    if device == "none":
        print("no PyTorch with CUDA here: the worker alone was measured")
        sys.exit(77)


if __name__ == "__main__":
    main()

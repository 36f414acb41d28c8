"""The worker's losses against PyTorch DDP's, same initial weights, same samples: within 1e-4
relative over 50 steps. usage: parity_test.py WORKER. Ends with 77, CTest's "skipped", where there
is no PyTorch."""
import importlib.util
import pathlib
import sys
import tempfile

import ranks

BOUND = 1e-4


def losses(lines):
    return {line["step"]: line["loss"] for line in lines if "loss" in line and "step" in line}


def main():
    if importlib.util.find_spec("torch") is None:
        print("skipped: no PyTorch (Debian: python3-torch)")
        sys.exit(77)
    worker = sys.argv[1]
    here = pathlib.Path(__file__).resolve().parent
    failed = False
    with tempfile.NamedTemporaryFile() as data:
        data.write(b"".join(p.read_bytes() for p in sorted(here.glob("*.py"))))
        data.flush()
        for world in (1, 2):
            flags = ["--data", data.name, "--context", "8", "--embed", "16", "--hidden", "64",
                     "--layers", "2", "--batch", "64", "--steps", "50", "--seed", "3",
                     "--weight-decay", "0.1"]
            ours = losses(ranks.run(world, [worker, *flags, "--backend", "gloo", "--json",
                                            "--log-every", "1"]))
            theirs = losses(ranks.run(world, [sys.executable, str(here / "torch_worker.py"),
                                              "--losses", *flags]))
            assert sorted(ours) == sorted(theirs) == list(range(1, 51))
            worst = max(abs(ours[s] - theirs[s]) / abs(theirs[s]) for s in ours)
            print(f"{world} rank(s): loss {ours[1]:.5f} -> {ours[50]:.5f}, "
                  f"largest relative difference {worst:.2e}")
            # Without training, agreement proves nothing.
            failed |= not (worst < BOUND and ours[50] < 0.7 * ours[1])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

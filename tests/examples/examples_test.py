"""Each example, run as its own text says. usage: examples_test.py cpp|torch|shell BUILD_DIR

77, CTest's "skipped", where what the example is written for is not installed.
"""
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIMIT = 240  # seconds for any one command


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def launch(build, ranks, *command):
    """The workers' lines, in the order of ranks."""
    out = run(f"{build}/bin/ddp-launch", "--nproc", str(ranks), "--", *command)
    return sorted(out.splitlines())


def same(found, expected):
    if found != expected:
        sys.exit(f"found {found}\nexpected {expected}")


def cpp(build):
    with tempfile.TemporaryDirectory() as temporary:
        prefix, tree = f"{temporary}/prefix", f"{temporary}/build"
        run("cmake", "--install", build, "--component", "dev", "--prefix", prefix)
        run("cmake", "-S", str(ROOT / "examples/cpp"), "-B", tree, "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={prefix}")
        run("cmake", "--build", tree)
        # The average of the targets 0, 1, 2, but for 2^-20 of the way.
        same(launch(build, 3, f"{tree}/worker"),
             [f"[{r}] rank {r} of 3: parameter 1.0000" for r in range(3)])
        alone = subprocess.run([f"{tree}/worker"], env={"RANK": "0"}, capture_output=True,
                               text=True, timeout=LIMIT)
        same((alone.returncode, "WORLD_SIZE" in alone.stderr), (2, True))


def torch(build):
    if importlib.util.find_spec("torch") is None:
        print("skipped: no PyTorch (Debian: python3-torch)")
        sys.exit(77)
    lines = launch(build, 2, sys.executable, str(ROOT / "examples/torch_worker.py"))
    ends = [re.fullmatch(r"\[(\d)\] rank \1 of 2: loss (\S+), weights (\S+)", x) for x in lines]
    if len(ends) != 2 or not all(ends):
        sys.exit(f"found {lines}")
    same(ends[0][3], ends[1][3])  # averaged gradients: the same weights
    if not all(float(end[2]) < 1 for end in ends):
        sys.exit(f"not trained: {lines}")


def shell(build):
    with tempfile.TemporaryDirectory() as temporary:
        files = []
        for number in range(5):
            files.append(f"{temporary}/{number}")
            pathlib.Path(files[-1]).write_text("line\n" * number)
        same(launch(build, 2, str(ROOT / "examples/shell_worker.sh"), *files),
             sorted(f"[{n % 2}] rank {n % 2}: {files[n]} has {n} lines" for n in range(5)))


if __name__ == "__main__":
    {"cpp": cpp, "torch": torch, "shell": shell}[sys.argv[1]](sys.argv[2])

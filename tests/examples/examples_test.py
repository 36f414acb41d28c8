"""Each example, run as its own text says. usage: examples_test.py cpp|torch|shell|faults|types BUILD_DIR

77, CTest's "skipped", where what the example is written for is not installed.
"""
import importlib.util
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

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
        # The average of the targets 0, 1, 2, except 2^-20 of the way.
        same(launch(build, 3, f"{tree}/worker"),
             [f"[{r}] rank {r} of 3: parameter 1.0000" for r in range(3)])
        alone = subprocess.run([f"{tree}/worker"], env={"RANK": "0"}, capture_output=True,
                               text=True, timeout=LIMIT)
        same((alone.returncode, "WORLD_SIZE" in alone.stderr), (2, True))
        for plan, code in (("exit=7@rank=0,step=5,seed=1", 7), ("exit=7@rank=1,step=5,seed=1", 0)):
            exit_code, lines = play(plan, f"{tree}/worker", DDP_RUN_DIR=f"{temporary}/{code}")
            same((exit_code, "X_DDP_STEP=20" in lines), (code, code == 0))


def play(plan, *command, **environment):
    """One worker in a world of one under DDP_FAULTS, with the launcher's side simulated here: its exit code
    and the lines it sent, each barrier answered."""
    lines = []
    with tempfile.TemporaryDirectory() as temporary, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as launcher:
        launcher.bind(f"{temporary}/notify")

        def listen():
            while True:
                data, passed, _, _ = socket.recv_fds(launcher, 8192, 1)
                if data == b"end":
                    return
                lines.extend(data.decode().splitlines())
                for descriptor in passed:
                    os.close(descriptor)

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            done = subprocess.run(command, timeout=LIMIT, stderr=subprocess.DEVNULL, env=dict(
                os.environ, RANK="0", WORLD_SIZE="1", NOTIFY_SOCKET=f"{temporary}/notify",
                DDP_FAULTS="3/0:" + plan, **environment))
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"end", f"{temporary}/notify")
            listener.join()
    return done.returncode, lines


# A worker that trains nothing and prints its gradients.
LOOP = """
import sys
sys.path.insert(0, sys.argv[1])
import ddp_faults
launcher = ddp_faults.Launcher()
launcher.ready()
for step in range(1, 9):
    launcher.begin_step(step)
    gradient = [1.0] * 8
    launcher.damage(step, gradient)
    if gradient != [1.0] * 8:
        launcher.digest(",".join(map(str, gradient)))
    launcher.before_allreduce(step)
    if launcher.dies_in_allreduce(step):
        ddp_faults.die()
    launcher.end_step(step, loss=1 / step)
"""


def faults(build):
    """examples/ddp_faults.py: when a fault is triggered, and what each fault looks like from outside."""
    sys.path.insert(0, str(ROOT / "examples"))
    import ddp_faults
    for line in (ROOT / "tests/support/fault_schedule.txt").read_text().splitlines():
        entry, *expected = line.split()
        found = []
        for rank in range(4):
            fault = ddp_faults.Fault(entry, rank, 4)
            if fault.concerns(attempt=1):
                found += [f"{rank}:{fault.number}.{k}@{step}:{fault.choice(k)}"
                          for step in range(1, 101) for k in [fault.due(step)] if k is not None]
        same(found, expected)

    at = "@rank=0,step=5,seed=1"
    for fault, code in (("exit=7", 7), ("throw", 1), ("segfault", -signal.SIGSEGV),
                        ("abort", -signal.SIGABRT), ("die-in-allreduce", -signal.SIGKILL)):
        exit_code, lines = play(fault + at, sys.executable, "-c", LOOP, str(ROOT / "examples"))
        last_step = "X_DDP_STEP=4" if "die" in fault else "X_DDP_STEP=5"
        same(("X_DDP_FAULT=3.0@5" in lines, exit_code, lines[-1], [x for x in lines if "STEP" in x][-1]),
             (True, code, "BARRIER=1", last_step))
    for fault, gradient in (("nan", "nan"), ("bitflip=31", "-1.0"), ("delay=1ms", None)):
        choice = ",choice=11" if gradient else ""
        exit_code, lines = play(fault + at + choice, sys.executable, "-c", LOOP, str(ROOT / "examples"))
        digests = [x for x in lines if "DIGEST" in x]
        expected = "X_DDP_DIGEST=1.0,1.0,1.0," + f"{gradient},1.0,1.0,1.0,1.0"
        same((exit_code, digests, "X_DDP_STEP=8" in lines, "X_DDP_FAULT=3.0@5" in lines),
             (0, [expected] if gradient else [], True, True))
    # A fault of another rank.
    exit_code, lines = play("exit=7@rank=1,step=5,seed=1", sys.executable, "-c", LOOP,
                            str(ROOT / "examples"))
    same((exit_code, [x for x in lines if "FAULT" in x]), (0, []))
    try:
        ddp_faults.Fault("3", 0, 1)
        sys.exit("a malformed fault was accepted")
    except ValueError as error:
        same("DDP_FAULTS: '3'" in str(error), True)

    # Without a launcher nothing happens: without the variables; with those of a launcher that is gone; with a plan that
    # no launcher records. The control: with the launcher the same fault is injected.
    fault = f"3/0:exit=7{at}"
    for left in ({}, {"NOTIFY_SOCKET": "/nowhere/notify", "DDP_FAULTS": fault}, {"DDP_FAULTS": fault}):
        done = subprocess.run([sys.executable, "-c", LOOP, str(ROOT / "examples")], env=alone(**left),
                              capture_output=True, text=True, timeout=LIMIT)
        same((done.returncode, done.stdout, done.stderr), (0, "", ""))
    for flags, code in (([], 0), (["--inject", "exit=7@rank=1,step=5"], 7)):
        done = subprocess.run([f"{build}/bin/ddp-launch", "--nproc", "2", *flags, "--", sys.executable, "-c", LOOP,
                               str(ROOT / "examples")], env=alone(), capture_output=True, text=True, timeout=LIMIT)
        same((done.returncode, "step 5" in done.stderr), (code, code == 7))


def alone(**more):
    """An environment without a launcher's variables, and these."""
    names = r"DDP_|NOTIFY_SOCKET|WATCHDOG_|RANK|WORLD_SIZE|LOCAL_|TORCHELASTIC_"
    return {k: v for k, v in os.environ.items() if not re.match(names, k)} | more


USE = """
import ddp_faults
launcher: ddp_faults.Launcher = ddp_faults.Launcher()
launcher.ready()
launcher.damage(1, [1.0])
launcher.end_step({step}, loss=0.5)
"""


def types(_):
    """examples/ddp_faults.py is typed, for Python 3.8 and later."""
    mypy = shutil.which("mypy")
    if mypy is None:
        print("skipped: no mypy (Debian: mypy, python3-typeshed)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copy(ROOT / "examples/ddp_faults.py", temporary)
        # The control: a script that passes a step of the wrong type.
        for name, step, code in (("right", "1", 0), ("wrong", "'1'", 1)):
            pathlib.Path(f"{temporary}/{name}.py").write_text(USE.format(step=step))
            done = subprocess.run([mypy, "--strict", "--python-version", "3.8", f"{name}.py", "ddp_faults.py"],
                                  cwd=temporary, capture_output=True, text=True, timeout=LIMIT)
            same((done.returncode, done.stdout if code == 0 else done.stdout.count("[arg-type]")),
                 (code, "Success: no issues found in 2 source files\n" if code == 0 else 1))


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
    # A rank that dies in DDP's all-reduce fails the group.
    failed = subprocess.run(
        [f"{build}/bin/ddp-launch", "--nproc", "2", "--inject", "die-in-allreduce@step=5,rank=1",
         "--", sys.executable, str(ROOT / "examples/torch_worker.py")],
        capture_output=True, text=True, timeout=LIMIT)
    same((failed.returncode, "weights" in failed.stdout), (128 + signal.SIGKILL, False))


def shell(build):
    with tempfile.TemporaryDirectory() as temporary:
        files = []
        for number in range(5):
            files.append(f"{temporary}/{number}")
            pathlib.Path(files[-1]).write_text("line\n" * number)
        same(launch(build, 2, str(ROOT / "examples/shell_worker.sh"), *files),
             sorted(f"[{n % 2}] rank {n % 2}: {files[n]} has {n} lines" for n in range(5)))


if __name__ == "__main__":
    {"cpp": cpp, "torch": torch, "shell": shell, "faults": faults, "types": types}[sys.argv[1]](sys.argv[2])

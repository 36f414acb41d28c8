"""Under ThreadSanitizer: no race between streams and the host, and one where a wait is missing.
usage: races_test.py GPU_SIM_DIRECTORY MUTANTS_DIRECTORY"""
import os
import pathlib
import subprocess
import sys

from harness import Simulation

TINY = ["--context", "2", "--embed", "2", "--hidden", "16", "--batch", "4"]


def reports(root, libraries, *flags, code=0, **options):
    """What ThreadSanitizer reports about two ranks that exit with `code`."""
    os.environ["LD_LIBRARY_PATH"] = str(libraries)
    sim = Simulation(root)
    log = sim.folder / "tsan"
    run = sim.run(2, *TINY, *flags, TSAN_OPTIONS=f"log_path={log}:exitcode=0:die_after_fork=0",
                  timeout=400, **options)
    found = "".join(path.read_text() for path in sim.folder.glob("tsan.*"))
    assert run.code == code, (run.code, run.errors, found)
    return found + sim.objections()


def main():
    original, mutants = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    libraries = original / "lib"
    kept = ["--checkpoint-every", "2", "--steps", "4"]
    assert not (found := reports(original, libraries, "--steps", "3", "--accumulate", "2")), found
    print("training: no race", flush=True)
    for fault in ("kill@step=2,rank=1", "die-in-allreduce@step=3,rank=1"):
        found = reports(original, libraries, *kept,
                        launch=["--max-restarts", "1", "--inject", fault])
        assert not found, found
        print(f"{fault}: no race", flush=True)
    found = reports(original, libraries, "--comm-timeout", "4s", code=1,
                    launch=["--inject", "skip-allreduce@step=2,rank=1"])
    assert not found, found
    print("a deadline: no race", flush=True)
    # The negative control. The parameters may differ, too, and the worker then says so.
    mutant = mutants / "bucket-before-gradient"
    for code in (0, 1):
        try:
            found = reports(mutant, libraries, "--steps", "4", code=code)
            break
        except AssertionError as error:
            found = str(error)
    assert "WARNING: ThreadSanitizer: data race" in found, found
    print("a bucket that does not wait for its gradients: a race")


main()

"""scripts/gpu-pack.sh and gpu-check.sh from end to end, over the simulated GPU (tests/gpu_sim): the
archive is packed, unpacked and its one command run, with small sizes. What is wrong in them should
be found here, and not in the first minutes on a real card.
usage: rehearsal_test.py PORTABLE_DIRECTORY GPU_SIM_DIRECTORY WRONG_LIBRARY UNMET_LIBRARY
                         ABSENT_LIBRARY PYTHON

PORTABLE_DIRECTORY is a build as with DDP_PORTABLE, GPU_SIM_DIRECTORY the same without. WRONG_LIBRARY is a libddp_worker_cuda.so that computes
something wrong, and UNMET_LIBRARY one that needs ABSENT_LIBRARY, which the loader does not find.
PYTHON may have PyTorch.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import libraries  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTIONS = ["operators", "ranks", "restarts", "collectives", "memcheck", "racecheck", "synccheck",
            "initcheck", "speed", "times"]
# In place of the toolkit's: checks how it is called, and runs the program.
SANITIZER = """#!/bin/sh
[ "$1 $3 $4" = "--tool --error-exitcode 9" ] || { echo "compute-sanitizer: $*" >&2; exit 1; }
shift 4
exec "$@"
"""


def pack(simulation, output, *flags):
    return subprocess.run([ROOT / "scripts/gpu-pack.sh", "--bin", simulation, "--output", output,
                           *flags], capture_output=True, text=True, timeout=120)


class Target:
    """The machine on which the archive is unpacked. The doubles are in place of NVIDIA's libraries
    there, so they are kept apart from what the archive brings along, which has to be found by itself."""

    def __init__(self, folder, archive, python):
        subprocess.run(["tar", "xzf", archive, "-C", folder], check=True, timeout=60)
        self.folder, self.python = folder, python
        self.root = folder / "ddp-launch-gpu"
        self.build = self.root / "build"
        tools = folder / "tools"
        tools.mkdir()
        (tools / "compute-sanitizer").write_text(SANITIZER)
        (tools / "compute-sanitizer").chmod(0o755)
        # Without PyTorch, whose import takes seconds: for what does not need it.
        self.bare = tools / "python"
        self.bare.write_text(f'#!/bin/sh\nexec "{python}" -S "$@"\n')
        self.bare.chmod(0o755)
        nvidia = folder / "nvidia"
        nvidia.mkdir()
        for library in ("libcuda.so.1", "libcublas.so.13", "libnccl.so.2"):
            (self.build / "lib" / library).rename(nvidia / library)
        assert (self.build / "lib/libgloo.so.0").exists()
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("NCCL_", "CUDA_", "DDP_"))}
        self.env.update(PATH=f"{tools}:{self.build / 'bin'}:{os.environ['PATH']}",
                        LD_LIBRARY_PATH=str(nvidia), OMP_NUM_THREADS="1",
                        DDP_SIM_DEVICES="2", DDP_SIM_JITTER_US="0",
                        DDP_SIM_NCCL_VERSION="23000")  # with it all ways of sharing a device
        self.runs = 0

    def start(self, python, *flags, **env):
        """(process, the folder of its results)"""
        self.runs += 1
        results = self.folder / f"results-{self.runs}"
        return subprocess.Popen([self.root / "scripts/gpu-check.sh", "--quick", "--python", python,
                                 "--results", results, *flags], env={**self.env, **env},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                cwd=self.folder), results

    def check(self, *flags, python=None, **env):
        """(exit code, results.json, the page, what was printed)"""
        process, results = self.start(python or self.bare, *flags, **env)
        with process:
            try:
                printed, _ = process.communicate(timeout=400)
            finally:
                process.kill()
        print(printed, flush=True)
        return (process.returncode, json.loads((results / "results.json").read_text()),
                (results / "gpu-results.md").read_text(), printed)


def outcomes(results):
    return {section["name"]: section["result"] for section in results["sections"]}


def whole(target, with_torch):
    code, results, page, printed = target.check("--docs", python=target.python)
    expected = dict.fromkeys(SECTIONS, "passed")
    if not with_torch:
        expected.update(speed="not run", times="not run")
    assert outcomes(results) == expected, outcomes(results)
    assert code == (0 if with_torch else 3), code
    facts = results["facts"]
    assert facts["rehearsal"] and facts["devices"] == ["Simulated GPU"] * 2, facts
    assert facts["nccl"] == "2.30.0" and facts["cuda_driver"] == "13.0", facts
    assert facts["commit"] == json.loads((target.root / "BUILD.json").read_text())["commit"]
    ways = {row["devices"] for row in results["sections"][1]["figures"] if row["ranks"] == 2}
    assert len(ways) == 3, ways
    for section in results["sections"]:
        # The operators and the sanitizer have no figures.
        has = section["name"] in ("ranks", "restarts", "collectives", "speed", "times")
        assert bool(section["figures"]) == has, section
    # No reader of the page takes it for a result.
    lines = page.splitlines()
    assert "rehearsal, no GPU result" in lines[0] and "rehearsal" in lines[2], lines[:3]
    assert "== 3/10 " in printed
    assert not (target.root / "docs/gpu-results.md").exists()
    assert "is not written to docs/" in printed


def wrong(target, library):
    """A wrong result fails its section, the exit code, and no other section. One device is visible:
    it is shared in both ways, and no rank misses another."""
    own = target.build / "bin/libddp_worker_cuda.so"
    kept = own.read_bytes()
    own.unlink()
    shutil.copy(library, own)
    code, results, page, printed = target.check("--only", "ranks,synccheck",
                                                CUDA_VISIBLE_DEVICES="1")
    assert outcomes(results) == {"ranks": "failed", "synccheck": "passed"}, results["sections"]
    assert code == 1 and "| failed |" in page, code
    assert results["facts"]["devices"] == ["Simulated GPU"], results["facts"]
    failed = [line for line in printed.splitlines() if "FAILED: ranks, " in line]
    assert len(failed) == 3 and all("difference to the CPU" in line for line in failed), failed
    assert "2 rank(s), one device, NCCL_HOSTID" in failed[1], failed
    own.write_bytes(kept)


def not_startable(target):
    worker = target.build / "bin/worker"
    worker.unlink()
    worker.write_text("#!/bin/sh\necho 'worker: wrong machine' >&2\nexit 1\n")
    worker.chmod(0o755)
    code, results, _, printed = target.check("--only", "operators")
    assert code == 1 and outcomes(results) == {"operators": "not run"}, results
    assert "gpu-check: bin/worker does not start here: worker: wrong machine\n" in printed
    worker.unlink()
    code, results, _, printed = target.check("--only", "operators")
    assert code == 1 and "has no bin/worker\n" in printed, printed


def no_device(target):
    """None is visible, or nvidia-smi is missing."""
    code, results, _, printed = target.check("--only", "ranks", CUDA_VISIBLE_DEVICES="")
    assert code == 1 and outcomes(results) == {"ranks": "not run"}, results
    assert "gpu-check: CUDA_VISIBLE_DEVICES is '': none of the 2 GPUs here\n" in printed, printed
    path = target.env["PATH"].replace(str(target.build / "bin") + ":", "")
    if shutil.which("nvidia-smi", path=path) is None:
        _, _, _, printed = target.check("--only", "ranks", PATH=path)
        assert "gpu-check: nvidia-smi is not on PATH" in printed, printed


def interrupted(target):
    """A check that is asked to end takes its section with it, and records both."""
    own = target.build / "tests/worker_gpu_ops"
    kept = own.read_bytes()
    own.unlink()
    own.write_text("#!/bin/sh\nsleep 600 &\necho ready $!\nwait\n")
    own.chmod(0o755)
    process, folder = target.start(target.bare, "--only", "operators,ranks")
    with process:
        try:
            pid = next(int(line.split()[1]) for line in process.stdout if "ready" in line)
            process.terminate()
            printed = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    assert process.returncode == 128 + 15, (process.returncode, printed)
    results = json.loads((folder / "results.json").read_text())
    assert outcomes(results) == {"operators": "interrupted", "ranks": "not run"}, results
    assert [s["reason"] for s in results["sections"]] == ["SIGTERM", "SIGTERM ended the check"]
    stat = pathlib.Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z", stat.read_text()
    own.unlink()
    own.write_bytes(kept)
    own.chmod(0o755)


def from_pip(folder, unmet, absent):
    """A library that the loader does not find is found where pip puts NVIDIA's."""
    name = [absent.name]
    assert libraries.find([unmet])[1] == name, "nowhere"
    packages = folder / "site-packages"
    place = packages / "nvidia/nccl/lib"
    place.mkdir(parents=True)
    (place / absent.name).symlink_to(absent)
    sys.path.append(str(packages))
    env, missing = libraries.find([unmet])
    assert missing == [] and env["LD_LIBRARY_PATH"].split(":")[0] == str(place), (missing, env)
    sys.path.pop()


def main():
    portable, simulation, library, unmet, absent = (
        pathlib.Path(p).resolve() for p in sys.argv[1:6])
    python = sys.argv[6]
    looks = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    with_torch = subprocess.run([python, "-c", looks], timeout=120).returncode == 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        from_pip(folder, unmet, absent)
        archive = folder / "archive.tar.gz"
        refused = pack(simulation, archive)
        assert refused.returncode == 1 and "libgloo.so.0: /" in refused.stderr, refused
        assert "bin/worker does not take its libraries from the archive: " in refused.stderr, refused
        refused = pack(portable, archive, "--limit", "1")
        assert refused.returncode == 1 and "expected at most 1 MiB" in refused.stderr, refused
        assert not archive.exists()
        packed = pack(portable, archive)
        assert packed.returncode == 0, packed
        target = Target(folder, archive, python)
        whole(target, with_torch)
        no_device(target)
        interrupted(target)
        wrong(target, library)
        not_startable(target)


if __name__ == "__main__":
    main()

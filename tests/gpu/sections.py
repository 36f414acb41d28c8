"""What there is to check on a GPU: one list. A section is a few commands, which all must succeed.

A command ends with 0 (passed), 77 (could not run here; its last line says why) or another code
(failed). Where it takes --figures, it writes a list of objects for results.json into that file.
"""
import dataclasses
import shutil
import typing

from facts import ROOT

TESTS = ROOT / "tests"


@dataclasses.dataclass
class Section:
    name: str
    title: str
    deadline: int  # seconds, for all its commands together
    commands: typing.List[typing.List[str]]
    why_not: str = ""  # it cannot run here, and why


def sanitizer(tool, programs):
    command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9"]
    missing = "" if shutil.which("compute-sanitizer") else (
        "compute-sanitizer, which is part of the CUDA toolkit, is not on PATH")
    return Section(tool, f"compute-sanitizer: {tool}", 900, [command + p for p in programs], missing)


def sections(build, python, figures, quick, torch_device):
    """`figures` is a folder; `torch_device` is PyTorch's: cuda, cpu, or none."""
    program = {name: str(build / path) for name, path in (
        ("worker", "bin/worker"), ("launcher", "bin/ddp-launch"), ("ops", "tests/worker_gpu_ops"),
        ("peak", "bench/gpu_peak"))}
    small = ["--quick"] if quick else []

    def script(path, name, *arguments):
        return [python, "-u", str(TESTS / path), *arguments, *small, "--figures",
                str(figures / f"{name}.json")]

    def ranks(part):
        return [script("worker/gpu_test.py", part, program["worker"], program["launcher"], "--part",
                       part)]

    few_steps = [program["worker"], "--data", str(ROOT / "LICENSE"), "--backend", "nccl", "--steps",
                 "3", "--batch", "32", *(["--grad-clip", "0", "--held-out", "0"] if quick else [])]
    operators = [program["ops"], *(["--test-case=softmax*"] if quick else [])]
    return [
        Section("operators", "Operators against the CPU's", 300, [[program["ops"]]]),
        Section("ranks", "1, 2 and 4 ranks: losses, repetition, checkpoints, overlap", 1200,
                ranks("ranks")),
        Section("restarts", "Killed and restarted: the same result to the bit", 900,
                ranks("restarts")),
        Section("collectives", "Faults inside a collective", 900, ranks("collectives")),
        sanitizer("memcheck", [operators, few_steps]),
        *(sanitizer(tool, [operators]) for tool in ("racecheck", "synccheck", "initcheck")),
        Section("speed", "Speed next to PyTorch's DDP", 1200, [
            script("bench/compare_gpu.py", "speed", program["worker"], program["peak"], "--python",
                   python, "--torch-device", torch_device)]),
        Section("times", "Launch to the first all-reduce, death to the next step", 900, [
            script("gpu/restart_times.py", "times", program["worker"], program["launcher"],
                   "--python", python, "--torch-device", torch_device)]),
    ]

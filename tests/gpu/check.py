"""Runs all that there is to check on a GPU, and writes one directory of results. Started by
scripts/gpu-check.sh.
usage: check.py BUILD [--results DIR] [--python PYTHON] [--only NAME,...] [--quick] [--docs] [--built-here]

Each section runs whatever became of the others, and has a deadline. Exit code: 0 all passed; 1 one
failed, or nothing can run here; 2 the arguments are wrong; 3 none failed and one did not run; 128 + N
after signal N (SIGINT, SIGTERM, SIGHUP), which ends the section with all that it started. DIR holds
  results.json    {"schema": 1, "facts": {...}, "sections": [...]}
      facts       date, commit, cuda_toolkit, devices (names), driver, cuda_driver, nccl, cublas,
                  pytorch (null, or version, cuda, nccl, usable), cpus, rehearsal
      sections    name, title, result ("passed", "failed", "interrupted", "not run"), reason (empty
                  if passed), seconds, figures (objects of the section's own), log (its file in DIR)
  gpu-results.md  the same for readers
  log.txt         all that was printed; <section>.log of each section
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import commands
import facts
import libraries
import results_page
from sections import Section, sections

SKIPPED = 77
PROGRAMS = ("bin/worker", "bin/libddp_worker_cuda.so", "bin/ddp-launch", "tests/worker_gpu_ops",
            "bench/gpu_peak")


class Console:
    """Prints, and keeps what was printed."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def say(self, text):
        print(text, flush=True)
        print(text, file=self.file, flush=True)


def check(section, env, folder, figures, lines, console):
    """The section's entry in results.json, and the signal that interrupted it, or None."""
    began, result, reason, number = time.monotonic(), "passed", "", None
    if section.why_not:
        result, reason = "not run", section.why_not
    else:
        deadline = began + section.deadline
        with open(folder / f"{section.name}.log", "w", encoding="utf-8") as log:
            for command in section.commands:
                print("$ " + " ".join(command), file=log, flush=True)
                try:
                    code, last = commands.run(command, env, deadline, log, lines, console.say)
                except commands.Interrupted as interrupted:
                    result, reason, number = "interrupted", str(interrupted), interrupted.number
                    break
                if code == 0:
                    continue
                if code is None:
                    result, reason = "failed", f"did not end within {section.deadline} s"
                elif code == SKIPPED:
                    result, reason = "not run", last
                    continue
                else:
                    end_of_it = f"signal {-code}" if code < 0 else f"exit code {code}"
                    result, reason = "failed", f"{end_of_it}: {last}"
                break
    written = figures / f"{section.name}.json"
    try:
        numbers = json.loads(written.read_text()) if written.exists() else []
    except ValueError:
        numbers = []
    return {"name": section.name, "title": section.title, "result": result, "reason": reason,
            "seconds": round(time.monotonic() - began, 1), "figures": numbers,
            "log": f"{section.name}.log" if not section.why_not else ""}, number


def obstacle(build, env, missing):
    """Why nothing can run here; empty where it can."""
    absent = [p for p in PROGRAMS if not (build / p).exists()]
    if absent:
        return f"{build} has no {', '.join(absent)}"
    if missing:
        return (f"{', '.join(missing)} was found neither by the loader nor in site-packages/nvidia; "
                "install it (pip: nvidia-cublas, nvidia-nccl), or add its directory to "
                "LD_LIBRARY_PATH")
    for program in ("bin/worker", "bin/ddp-launch"):
        try:
            done = subprocess.run([build / program, "--help"], env=env, capture_output=True,
                                  text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{program} does not start here: {error}"
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            return f"{program} does not start here: {lines[0]}"
    return facts.why_no_device()


def prepare(build):
    """(environment, the name of the cuBLAS that is used, why nothing can run)"""
    try:
        present = [build / p for p in PROGRAMS if (build / p).exists()]
        env, missing = libraries.find(present)
        names = {name for program in present for name in libraries.needed(program, env)}
    except (OSError, subprocess.TimeoutExpired) as error:
        return (dict(os.environ), None,
                f"the programs do not start here: {error}; build them on this machine")
    cublas = next((name for name in names if name.startswith("libcublas.so")), None)
    return env, cublas, obstacle(build, env, missing)


def torch_device(found):
    """PyTorch's part in a rehearsal runs on the CPU, so that its scripts are run too."""
    if found["pytorch"] is None:
        return "none"
    if found["pytorch"]["usable"]:
        return "cuda"
    return "cpu" if found["rehearsal"] else "none"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--results", type=pathlib.Path, default="gpu-results")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", help="sections, by name, separated by commas")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--docs", action="store_true", help="also write docs/gpu-results.md")
    parser.add_argument("--built-here", action="store_true", help="BUILD is of this checkout")
    o = parser.parse_args()
    o.results.mkdir(parents=True, exist_ok=True)
    console = Console(o.results / "log.txt")
    env, cublas, why_not = prepare(o.build)
    if why_not:
        console.say(f"gpu-check: {why_not}")
    found = facts.collect(o.build, o.built_here, o.python, env, cublas)
    console.say(results_page.headline(found))
    entries, ended_by = [], None
    with tempfile.TemporaryDirectory() as temporary:
        figures = pathlib.Path(temporary)
        todo = sections(o.build, o.python, figures, o.quick, torch_device(found))
        if o.only:
            names = o.only.split(",")
            unknown = set(names) - {s.name for s in todo}
            if unknown:
                parser.error(f"--only: no section {', '.join(sorted(unknown))}: expected "
                             + ", ".join(s.name for s in todo))
            todo = [s for s in todo if s.name in names]
        lines = commands.Lines()
        for number, section in enumerate(todo, start=1):
            console.say(f"== {number}/{len(todo)} {section.title}")
            if why_not:
                section = Section(section.name, section.title, section.deadline, [], why_not)
            entry, by = check(section, env, o.results, figures, lines, console)
            if by is not None:
                ended_by, why_not = by, f"{entry['reason']} ended the check"
            console.say(f"   {entry['result']} ({entry['seconds']} s)"
                        + (f": {entry['reason']}" if entry["reason"] else ""))
            entries.append(entry)
            # After each, so that a session that is cut off leaves what it has.
            write(o.results, found, entries)
    if o.docs and found["rehearsal"]:
        console.say("gpu-check: a rehearsal is not written to docs/")
    elif o.docs:
        shutil.copy(o.results / results_page.FILE, facts.ROOT / "docs" / results_page.FILE)
    outcomes = [entry["result"] for entry in entries]
    console.say(f"gpu-check: {outcomes.count('passed')} of {len(outcomes)} passed, "
                f"{outcomes.count('failed')} failed, {outcomes.count('not run')} not run; "
                f"{o.results}/{results_page.FILE}")
    if ended_by is not None:
        sys.exit(128 + ended_by)
    sys.exit(1 if "failed" in outcomes or why_not else 3 if "not run" in outcomes else 0)


def write(folder, found, entries):
    results = {"schema": 1, "facts": found, "sections": entries}
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / results_page.FILE).write_text(results_page.page(results))


if __name__ == "__main__":
    main()

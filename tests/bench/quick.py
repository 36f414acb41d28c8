"""The benchmark's own test: every measurement once in small, the counting of bad lines against lines made bad on
purpose, and what ddp-launch must do at any speed."""

import os
import tempfile

import death
import idle
import launch_exit
import tagged

OURS = "ddp-launch"


def check(bench):
    """0, or 1 after saying what is wrong."""
    wrong = []

    def expect(holds, what):
        if not holds:
            wrong.append(what)
            bench.say(f"WRONG: {what}")

    checker(bench, expect)
    launch = launch_exit.measure(bench, (1, 4, 16), 3, (("static no-op", [bench.program("noop")]),))
    for (_, n), figures in launch.items():
        for name, one in figures.items():
            expect(one.values and not one.failed, f"launch and exit of N={n} with {name}")
    for how, code in (("kill", 137), ("exit=3", 3)):
        figures, ends = death.measure(bench, 4, 3, how)
        for metric, one in figures[OURS].items():
            # Seconds where a hundredth is the target: a loaded machine passes, a lost event does not.
            expect(one.values and not one.failed and one.worst < 3000, f"{metric} after {how}")
        expect(ends[OURS].codes == {code}, f"exit code after {how}: {ends[OURS].codes}")
        expect(ends[OURS].left_behind == 0, f"processes left behind after {how}")
    for metric, one in death.measure_restart(bench, 4, 2)[OURS].items():
        expect(one.values and not one.failed and one.worst < 10000, metric)
    for way in ("block", "each"):
        output = tagged.measure(bench, 4, 20_000, 1, way)[OURS]
        expect(output.rate.values and not output.rate.failed, f"tagged output ({way})")
        for fault, count in output.worst.items():
            expect(count == 0, f"{count} lines {fault} ({way})")
    resting = idle.measure_idle(bench, 4, 2)[OURS]
    expect(resting and resting["wake-ups a second"] < 20, f"idle: {resting}")
    return 1 if wrong else 0


def checker(bench, expect):
    """The negative control: each kind of damage is seen, and nothing else is."""
    good = [f"[{rank}] {line}" for rank in range(2) for line in written(bench, rank, 50)]
    cases = {
        "nothing": (good, {}),
        "torn": ([*good[:10], good[10][:12], good[10][12:], *good[11:]], {"torn": 2, "lost": 1}),
        "wrong tag": (["[1]" + good[0][3:], *good[1:]], {"torn": 1, "lost": 1}),
        "changed": ([good[0][:-1] + "#", *good[1:]], {"torn": 1, "lost": 1}),
        "lost": ([*good[:20], *good[21:]], {"lost": 1}),
        "doubled": ([*good, good[5]], {"doubled": 1}),
        "misordered": ([*good[:20], good[21], good[20], *good[22:]], {"misordered": 1}),
    }
    for name, (lines, expected) in cases.items():
        with tempfile.TemporaryFile(dir=bench.folder) as file:
            file.write("".join(line + "\n" for line in lines).encode())
            file.seek(0)
            counts = tagged.check(bench, file.fileno(), "[%d] ", 2, 50)
        seen = {fault: counts[fault] for fault in tagged.FAULTS if counts[fault]}
        expect(seen == expected, f"check_lines on output with {name}: {seen}, expected {expected}")


def written(bench, rank, count):
    """The lines a worker writes, run without a launcher."""
    with tempfile.TemporaryFile(dir=bench.folder) as file:
        process = os.posix_spawn(bench.program("probe"), ["probe", "lines", str(count), "block"], {"RANK": str(rank)},
                                 file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)])
        os.waitpid(process, 0)
        file.seek(0)
        return file.read().decode().splitlines()

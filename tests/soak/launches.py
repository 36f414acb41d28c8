"""Thousands of launches of workers that end at once, by an exit code or a signal: failure report and exit code must be
what was injected."""

import re
import signal

from harness import Violation, signal_name

SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGBUS, signal.SIGFPE, signal.SIGUSR1,
           signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)
VERDICT = re.compile(r"^ddp-launch: rank (\d+) (.*)$", re.MULTILINE)


def draw_end(random):
    """(spec, exit code of the launch, what the failure report says about the rank)"""
    if random.random() < 0.5:
        code = random.randint(1, 255)
        return f"e{code}", code, f"exited with code {code}"
    number = random.choice(SIGNALS)
    return f"s{int(number)}", 128 + number, signal_name(number)


def one(soak):
    random = soak.random
    n = random.choice((1, 2, 3, 4, 8, 16, 32, 64))
    failing = sorted(random.sample(range(n), min(n, random.choice((0, 1, 1, 1, 2)))))
    ends = {rank: draw_end(random) for rank in failing}
    specs = [ends[rank][0] if rank in ends else "e0" for rank in range(n)]
    with soak.launch("--nproc", str(n), worker=["end", *specs]) as launch:
        code = launch.wait()
        verdict = VERDICT.search(launch.errors())
        if not failing:
            if code != 0 or verdict:
                raise Violation(f"every worker exited with 0, the launch with {code}, and said {launch.errors()!r}")
            return
        if verdict is None or int(verdict.group(1)) not in ends:
            raise Violation(f"root cause: one of {ends}, the verdict is {launch.errors()!r}")
        # If two ranks fail at the same time, either may be the first and so the cause.
        _, expected, words = ends[int(verdict.group(1))]
        if code != expected or words not in verdict.group(2):
            raise Violation(f"rank {verdict.group(1)}: {words} was injected, the launch left with {code} and said "
                            f"{verdict.group(0)!r}")

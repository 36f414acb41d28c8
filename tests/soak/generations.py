"""Thousands of attempts in one launch, each ended by killing a random rank at a random moment. The launcher must
name that rank and that signal as the cause in every one, and neither its memory nor its descriptors may grow."""

import json
import os
import select
import signal
import statistics
import time

from harness import Violation, read_up
from processes import private_kib

SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGBUS, signal.SIGILL)
GENERATION_SECONDS = 20.0
# What the allocator may use before it settles; an attempt that leaked 100 bytes would show.
GROWTH_KIB = 256
WARM_UP = 300  # generations: more than there are failures of which the launcher keeps each


class Lines:
    """The launcher's tagged output, line by line."""

    def __init__(self, fd):
        self.fd = fd
        self.pending = b""

    def next(self, seconds):
        while b"\n" not in self.pending:
            if not select.select([self.fd], [], [], seconds)[0]:
                raise Violation(f"hang: nothing new from the workers within {seconds:.0f} s")
            block = os.read(self.fd, 1 << 16)
            if not block:
                raise Violation("the launcher closed its output before it was stopped")
            self.pending += block
        line, self.pending = self.pending.split(b"\n", 1)
        return line


def run(soak, until, n=4):
    """Attempts until time.monotonic() reaches `until`; returns how many."""
    read_end, write_end = os.pipe()
    injected = []
    samples = []
    options = ("--nproc", str(n), "--max-restarts", "1000000", "--backoff", "0", "--crash-loop", "0", "--run-id", "soak",
               "--shutdown-timeout", "5", "--log-dir", "{folder}/logs")
    with soak.launch(*options, worker=["stay", "1"], stdout=write_end) as launch:
        os.close(write_end)
        lines = Lines(read_end)
        while time.monotonic() < until:
            injected.append(one_generation(soak.random, launch, lines, len(injected), n,
                                           lambda: samples.append(sample(launch, len(injected)))))
        # After the next attempt began, so that the attempt is stopped, not a teardown.
        while (read_up(lines.next(GENERATION_SECONDS)) or (-1,))[0] != len(injected):
            pass
        launch.running.send(signal.SIGTERM)
        code = drain_and_wait(launch, read_end)
        if code != 128 + signal.SIGTERM:
            raise Violation(f"stopped by SIGTERM, the launch left with {code}")
        check_verdicts(os.path.join(launch.folder, "logs", "soak", "events.jsonl"), injected)
    os.close(read_end)
    check_growth(samples)
    return len(injected)


def one_generation(random, launch, lines, generation, n, when_all_are_up):
    """Lets ranks come up, kills one; returns (rank, signal)."""
    # Half of the time before all ranks are up: a death during the start.
    wanted = n if random.random() < 0.5 else random.randint(1, n)
    up = {}
    while len(up) < wanted:
        started = read_up(lines.next(GENERATION_SECONDS))
        if started and started[0] == generation:
            up[started[1]] = started[2]
    if wanted == n and generation % 10 == 0:
        when_all_are_up()
    victim = random.choice(sorted(up))
    number = random.choice(SIGNALS)
    time.sleep(random.choice((0, 0, random.random() * 0.003)))
    launch.send_to(up[victim], number)
    return victim, number


def sample(launch, generation):
    pids = (launch.running.pid, launch.supervisor())
    return generation, [(len(os.listdir(f"/proc/{pid}/fd")), private_kib(pid)) for pid in pids]


def drain_and_wait(launch, fd):
    """A launcher may wait for its reader; this one reads until all writers have closed."""
    while select.select([fd], [], [], 20)[0] and os.read(fd, 1 << 16):
        pass
    return launch.wait()


def check_verdicts(path, injected):
    recorded = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            if event["event"] == "generation_ended":
                recorded[event["gen"]] = (event["rank"], event["exit_code"])
    for generation, (rank, number) in enumerate(injected):
        if recorded.get(generation) != (rank, 128 + number):
            raise Violation(f"generation {generation}: rank {rank} was killed by signal {int(number)}, the verdict is "
                            f"{recorded.get(generation)}")


def check_growth(samples):
    """After the warm-up: as many descriptors at the end as at the beginning, and no more memory."""
    samples = [processes for generation, processes in samples if generation >= WARM_UP]
    if len(samples) < 8:
        print("soak: too few attempts to separate growth from settling: not checked", flush=True)
        return
    quarter = len(samples) // 4
    for index, name in enumerate(("keeper", "supervisor")):
        descriptors = [processes[index][0] for processes in samples]
        if max(descriptors[-quarter:]) > min(descriptors[:quarter]):
            raise Violation(f"descriptors of the {name} grew: {descriptors}")
        memory = [processes[index][1] for processes in samples]
        growth = statistics.median(memory[-quarter:]) - statistics.median(memory[:quarter])
        if growth > GROWTH_KIB:
            raise Violation(f"memory of the {name} grew by {growth} KiB: {memory}")

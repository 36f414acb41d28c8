"""Random signals to random processes of the tree at random moments: the whole tree ends in time and the exit
code is the documented one."""

import os
import select
import signal
import time

from harness import Violation, read_up

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
FATAL = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
SUPERVISOR_DIED = 70


def one(soak):
    random = soak.random
    n = random.choice((1, 2, 4, 8, 16))
    children = random.choice((0, 1, 2))
    target = random.choice(("keeper", "supervisor", "worker", "child" if children else "worker"))
    read_end, write_end = os.pipe()
    try:
        with soak.launch("--nproc", str(n), "--shutdown-timeout", "1", worker=["stay", str(children)],
                         stdout=write_end) as launch:
            os.close(write_end)
            write_end = None
            expected, what = HITS[target](random, launch, read_end)
            code = launch.wait()
            if code not in expected:
                raise Violation(f"{what}: exit code {code}, expected one of {sorted(expected)}; N={n}")
    finally:
        os.close(read_end)
        if write_end is not None:
            os.close(write_end)


def first_worker(read_end):
    """[pid, child pid…] of the first worker that reports "up". From then on both processes of the launcher
    exist."""
    text = b""
    while b"\n" not in text:
        if not select.select([read_end], [], [], 20)[0]:
            raise Violation("hang: no worker came up within 20 s")
        block = os.read(read_end, 1 << 16)
        if not block:
            raise Violation("the launch ended before a worker came up")
        text += block
    up = read_up(text.split(b"\n", 1)[0])
    if up is None:
        raise Violation(f"the workers' first line is {text!r}")
    _, _, pid, children = up
    return [pid, *children]


def stopped_by(number):
    return {128 + number}


def hit_keeper(random, launch, read_end):
    number = random.choice((*STOPS, *STOPS, signal.SIGKILL, signal.SIGSTOP))
    # A keeper killed before it has a supervisor leaves no process that cleans up; any other signal may come at any time.
    if number == signal.SIGKILL or random.random() < 0.5:
        first_worker(read_end)
    time.sleep(random.random() * 0.02)
    launch.running.send(number)
    if number == signal.SIGSTOP:  # received after SIGCONT
        launch.running.send(signal.SIGTERM)
        time.sleep(random.random() * 0.01)
        launch.running.send(signal.SIGCONT)
        number = signal.SIGTERM
    if random.random() < 0.2 and number != signal.SIGKILL:
        launch.running.send(random.choice(STOPS))  # a second one, in the middle of the teardown
        return {128 + n for n in STOPS}, f"keeper hit by {number} and another"
    return stopped_by(number), f"keeper hit by {number}"


def hit_supervisor(random, launch, read_end):
    number = random.choice((*STOPS, *FATAL, *FATAL, signal.SIGSTOP))
    first_worker(read_end)
    pid = launch.supervisor()
    if pid is None:
        raise Violation("no supervisor, though a worker is up")
    time.sleep(random.random() * 0.01)
    launch.send_to(pid, number)
    if number == signal.SIGSTOP:  # the keeper wakes it to pass a signal on
        time.sleep(random.random() * 0.01)
        launch.running.send(signal.SIGTERM)
        return stopped_by(signal.SIGTERM), "supervisor stopped, then SIGTERM"
    if number in FATAL:
        return {SUPERVISOR_DIED}, f"supervisor killed by {number}"
    return stopped_by(number), f"supervisor hit by {number}"


def hit_worker(random, launch, read_end):
    number = random.choice((*STOPS, *FATAL, signal.SIGUSR1, signal.SIGPIPE, signal.SIGSTOP))
    pid = first_worker(read_end)[0]
    time.sleep(random.random() * 0.01)
    launch.send_to(pid, number)
    if number == signal.SIGSTOP:  # a teardown wakes it
        launch.running.send(signal.SIGTERM)
        number = signal.SIGTERM
    return stopped_by(number), f"worker hit by {number}"


def hit_child(random, launch, read_end):
    """The launcher ignores the death of a worker's child; the launch goes on until it is stopped."""
    child = first_worker(read_end)[-1]
    launch.send_to(child, random.choice((*FATAL, signal.SIGSTOP)))
    time.sleep(random.random() * 0.01)
    if launch.supervisor() is None:
        raise Violation("a child's death ended the launch")
    launch.running.send(signal.SIGTERM)
    return stopped_by(signal.SIGTERM), "child hit, then SIGTERM"


HITS = {"keeper": hit_keeper, "supervisor": hit_supervisor, "worker": hit_worker, "child": hit_child}

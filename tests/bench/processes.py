"""Runs programs under a deadline and leaves none of their processes behind.

The driver is a child subreaper: what a program under test abandons comes to the driver, is counted, killed by its pid
and reaped. Nothing is ever found or killed by name.
"""

import contextlib
import ctypes
import os
import re
import select
import signal
import time

PR_SET_CHILD_SUBREAPER = 36
NANO = 1_000_000_000


class Hung(Exception):
    """The program did not end within its deadline."""


def become_subreaper():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Running:
    """A started program: pid, pidfd, start time; `status` once it has ended (a code, or 128 + signal)."""

    def __init__(self, argv, stdout=None, stderr=None, env=None):
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        actions = [(os.POSIX_SPAWN_DUP2, null, 0),
                   (os.POSIX_SPAWN_DUP2, null if stdout is None else stdout, 1),
                   (os.POSIX_SPAWN_DUP2, null if stderr is None else stderr, 2)]
        environment = os.environ if env is None else env
        self.argv = argv
        self.status = None
        self.ended = None
        self.started = now()
        self.pid = os.posix_spawn(argv[0], argv, environment, file_actions=actions, setsid=True,
                                  setsigdef=[signal.SIGPIPE])
        self.pidfd = os.pidfd_open(self.pid)
        os.close(null)

    def wait(self, seconds):
        """The status; raises Hung when the deadline comes first."""
        if self.status is None:
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            if not poll.poll(seconds * 1000):
                raise Hung(" ".join(self.argv[:4]))
            self.ended = now()
            _, raw = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(raw)
            if self.status < 0:
                self.status = 128 - self.status
            os.close(self.pidfd)
        return self.status

    def send(self, number):
        if self.status is None:
            signal.pidfd_send_signal(self.pidfd, number)


def parents():
    """{pid: (parent, state)} of every process, zombies too."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(b")") + 2:].split()
        table[int(name)] = (int(fields[1]), fields[0].decode())
    return table


def descendants(root, without=()):
    """Pids below `root`, parents first; `without` and what is below them left out."""
    children = {}
    for pid, (parent, _) in parents().items():
        children.setdefault(parent, []).append(pid)
    found = []
    level = [root]
    while level:
        level = [pid for parent in level for pid in children.get(parent, []) if pid not in without]
        found += level
    return found


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def clean_up(spare=(), running=None, seconds=20):
    """Kills and reaps everything below the driver but the trees of `spare`. Returns the commands of what still lived.

    A Running that is still being waited for must be handed in: its process is reaped as well.
    """
    if running is not None and running.status is None:
        running.status = 128 + signal.SIGKILL
        os.close(running.pidfd)
    alive = {}
    deadline = now() + int(seconds * NANO)
    while True:
        table = parents()
        left = descendants(os.getpid(), spare)
        if not left:
            return list(alive.values())
        for pid in left:
            parent, state = table.get(pid, (0, "Z"))
            if state != "Z":
                alive.setdefault(pid, command_of(pid))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if parent == os.getpid():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
        if now() > deadline:
            raise RuntimeError(f"processes that SIGKILL does not end: {left}")
        time.sleep(0.002)


def context_switches(pid):
    """Times the process's threads were put to sleep or preempted: each is a wake-up to come."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii", errors="replace") as file:
            total += sum(int(n) for n in re.findall(r"ctxt_switches:\s*(\d+)", file.read()))
    return total


def cpu_ns(pid):
    """Time on a processor of all threads, from the scheduler's own count."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def private_kib(pid):
    """What the process has written to: unlike PSS the same whoever else runs the program."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return int(re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.MULTILINE).group(1))


def pss_kib(pid):
    """Proportional set size: private memory, and the process's share of what is shared."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.MULTILINE).group(1))

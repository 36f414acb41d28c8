"""Runs a section's command: passes on what it prints, ends it at its deadline or when the check is
asked to end, and leaves no process of its group behind."""
import contextlib
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time

# A command that prints nothing says at this interval that it goes on.
QUIET = 30
# For a command that was asked to end.
GRACE = 15
# How often the end of processes that are not our children is checked.
POLL = 0.02
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The check was asked to end, by signal `number`."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Lines:
    """What a command prints, and the signals that ask the check to end, in one queue: run() then
    sees a signal between two lines, and never while it ends a command."""

    def __init__(self):
        self.queue = queue.SimpleQueue()  # which a signal handler may use
        self.signal = None
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, self.asked)

    def asked(self, number, _):
        self.signal = self.signal or number
        self.queue.put(None)  # wakes get()

    def read(self, stream):
        with stream:
            for line in stream:
                self.queue.put((stream, line.rstrip("\n")))
        self.queue.put((stream, None))

    def raise_if_asked(self):
        if self.signal:
            raise Interrupted(self.signal)

    def get(self, stream, timeout):
        """A line; None at the end. Raises queue.Empty after `timeout`, and Interrupted."""
        until = time.monotonic() + timeout
        while True:
            self.raise_if_asked()
            item = self.queue.get(timeout=max(0, until - time.monotonic()))
            if item and item[0] is stream:  # and not from a command that was ended
                return item[1]


def alive(group):
    """Whether a process of the group still runs; a zombie does not."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            state, _, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False


def wait_for(condition, until):
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(POLL)
    return True


def exited(process, lines):
    """Without reaping it: while it is a zombie, no other group can have its number."""
    lines.raise_if_asked()
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end(process):
    """Ends what still runs of the command's group, with SIGTERM, then SIGKILL, and reaps the
    command. Its exit code; None where not even SIGKILL ends it, as in a driver that hangs."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not alive(process.pid):
            break
        os.killpg(process.pid, number)
        wait_for(lambda: not alive(process.pid), time.monotonic() + GRACE)
    try:
        return process.wait(1)
    except subprocess.TimeoutExpired:
        return None


def run(command, env, deadline, log, lines, say):
    """(exit code, or None after the deadline; last line printed). Raises Interrupted."""
    try:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                                   errors="replace", start_new_session=True)
    except OSError as error:
        return 1, f"{command[0]}: {error.strerror}"
    try:
        in_time, last = show(process.stdout, deadline, log, lines, say)
        in_time = in_time and wait_for(lambda: exited(process, lines), deadline)
    finally:
        code = end(process)
    return (code if in_time else None), last


def show(stream, deadline, log, lines, say):
    """(whether what the command prints ended before the deadline, the last line)"""
    threading.Thread(target=lines.read, args=(stream,), daemon=True).start()
    began, last = time.monotonic(), ""
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(stream, min(left, QUIET))
        except queue.Empty:
            say(f"   … {time.monotonic() - began:.0f} s")
            continue
        if line is None:
            return True, last
        print(line, file=log, flush=True)
        say("   " + line)
        last = line.strip() or last
    return False, last

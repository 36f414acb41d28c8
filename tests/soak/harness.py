"""What each part of the soak shares: a launch, and everything that must hold after any launch."""

import contextlib
import glob
import os
import random
import re
import select
import shutil
import signal
import sys
import tempfile
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))

from processes import Hung, Running, clean_up, command_of, descendants  # noqa: E402  (found through the line above)

MARK = "DDP_SOAK_MARK"
# The keeper waits 5 s for a process that does not die, and 5 s more for a pipe that is not read.
DEADLINE = 30.0


class Violation(Exception):
    """A check after a launch failed."""


class Soak:
    def __init__(self, ddp_launch, worker, seed, folder):
        self.ddp_launch = ddp_launch
        self.worker = worker
        self.random = random.Random(seed)
        self.folder = folder

    def launch(self, *options, worker, stdout=None):
        return Launch(self, options, worker, stdout)


class Launch:
    """One ddp-launch in its own TMPDIR, whose processes carry a mark. Leaving it checks that nothing is left."""

    def __init__(self, soak, options, worker, stdout):
        self.folder = tempfile.mkdtemp(dir=soak.folder)
        self.temporary = os.path.join(self.folder, "tmp")
        os.mkdir(self.temporary)
        self.mark = uuid.uuid4().hex
        environment = {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"}
        environment.update({"TMPDIR": self.temporary, MARK: self.mark})
        self.errors_fd = os.open(os.path.join(self.folder, "errors"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.argv = [soak.ddp_launch, *(o.format(folder=self.folder) for o in options), "--", soak.worker, *worker]
        self.older_groups = launch_groups()
        self.running = Running(self.argv, stdout, self.errors_fd, environment)

    def __enter__(self):
        return self

    def __exit__(self, kind, _, __):
        try:
            if kind is None:
                self.check_nothing_left()
            else:
                # The first and the last lines: a launch of thousands of attempts prints many.
                text = self.errors()
                text = text if len(text) < 4000 else f"{text[:2000]}\n  …\n{text[-2000:]}"
                print(f"command: {' '.join(self.argv)}\nstderr:\n{text}", file=sys.stderr)
        finally:
            clean_up(running=self.running)
            os.close(self.errors_fd)
            shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self, seconds=DEADLINE):
        try:
            return self.running.wait(seconds)
        except Hung as hung:
            tree = [f"{pid} {command_of(pid)}" for pid in [self.running.pid, *descendants(self.running.pid)]]
            raise Violation(f"hang: no end within {seconds:.0f} s; its processes: {tree}") from hung

    def errors(self):
        return os.pread(self.errors_fd, 1 << 20, 0).decode(errors="replace")

    def supervisor(self):
        """Its pid, or None if it does not exist: the keeper's one child with that name."""
        for pid in descendants(self.running.pid):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().strip() == "ddp-super":
                    return pid
        return None

    def send_to(self, pid, number):
        """Sends a signal to a process of this launch, and to no other: a pid of 0 or 1, or one that is another program's
        by now, is never signalled."""
        if pid <= 1:
            raise Violation(f"no process of a launch has the pid {pid}")
        fd = os.pidfd_open(pid)
        try:
            if not self.has_mark(pid):
                raise Violation(f"pid {pid} is no process of this launch")
            signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)

    def check_nothing_left(self):
        # The keeper may have been killed: then the supervisor, now the driver's child, has the same time to exit.
        left = self.marked()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                wait_gone(pid, DEADLINE)
        left = self.marked()
        if left:
            raise Violation(f"processes left: {[f'{pid} {command_of(pid)}' for pid in left]}")
        files = os.listdir(self.temporary)
        if files:
            raise Violation(f"files left in TMPDIR: {files}")
        for inode, path in launch_groups().items():
            # An older one was left by a launch of the same pid that was killed completely.
            if f"/ddp-launch.{self.running.pid}." in path and inode not in self.older_groups:
                raise Violation(f"control group left: {path}")

    def has_mark(self, pid):
        """Whether a living process inherited this launch's mark."""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return f"{MARK}={self.mark}".encode() in file.read().split(b"\0")
        except OSError:
            return False

    def marked(self):
        """Pids of this launch's living processes, anywhere in the tree."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self.has_mark(int(name))]


def launch_groups():
    """The paths of launches' control groups by inode; the kernel does not reuse a number."""
    groups = {}
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        for path in glob.glob(f"{root}/ddp-launch.*"):
            with contextlib.suppress(FileNotFoundError):
                groups[os.stat(path).st_ino] = path
    return groups


UP = re.compile(rb"up (\d+) (\d+) (\d+)((?: \d+)*)$")


def read_up(line):
    """(generation, rank, pid, [child pid…]) of a worker's line, with any prefix; None for another line."""
    found = UP.search(line)
    if found is None:
        return None
    generation, rank, pid = map(int, found.groups()[:3])
    return generation, rank, pid, [int(word) for word in found.group(4).split()]


def wait_gone(pid, seconds):
    """Waits until a process, ours or not, has exited; a zombie has."""
    fd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll(seconds * 1000)
    finally:
        os.close(fd)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def signal_name(number):
    return signal.Signals(number).name

"""What every measurement shares: one run of one peer in its own folder, and figures of many runs."""

import os
import shutil
import signal
import statistics
import tempfile

from processes import Hung, Running, clean_up


class Bench:
    """The peers, the programs they run, and the pids that are not theirs."""

    def __init__(self, peers, programs, folder, spare=(), verbose=print):
        self.peers = peers
        self.programs = programs
        self.folder = folder
        self.spare = spare
        self.say = verbose

    def program(self, name):
        return os.path.join(self.programs, name)

    def run(self, peer, job):
        """Calls job(start, folder), in which start(argv, stdout=None) runs the peer; returns the job's result and the
        commands of the processes that outlived the launcher.

        Whatever happens, afterwards no process is left and the folder is gone. The result is None when the launcher
        hung or did not do what was asked; why is said at once.
        """
        folder = tempfile.mkdtemp(dir=self.folder)
        errors = os.open(os.path.join(folder, ".errors"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        started = []

        def start(argv, stdout=None):
            started.append(Running(argv, stdout, errors, peer.environment(folder)))
            return started[-1]

        result, left = None, []
        try:
            result = job(start, folder)
            for running in started:
                running.wait(peer.deadline)
            left = clean_up(self.spare)
        except Hung as hung:
            clean_up(self.spare)  # what we end ourselves is not held against the peer
            self.say(f"  {peer.name}: {hung}: {self._last_words(errors)}")
            result = None
        finally:
            clean_up(self.spare)
            os.close(errors)
            shutil.rmtree(folder, ignore_errors=True)
        return result, left

    def end(self, running):
        """Ends a launch that would go on: asked first, so that a peer whose workers belong to another daemon can stop them."""
        running.send(signal.SIGTERM)
        try:
            running.wait(3)
        except Hung:
            pass
        clean_up(self.spare, running)

    @staticmethod
    def _last_words(fd):
        size = os.fstat(fd).st_size
        return os.pread(fd, 300, max(0, size - 300)).decode(errors="replace").strip().replace("\n", " | ")


class Figures:
    """The repetitions of one measurement, in one unit."""

    def __init__(self):
        self.values = []
        self.failed = 0

    def add(self, value):
        if value is None:
            self.failed += 1
        else:
            self.values.append(value)

    def given_up(self):
        """So often failed that it is not tried again."""
        return self.failed >= 2 and self.failed > len(self.values)

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    @property
    def worst(self):
        return max(self.values) if self.values else None

    @property
    def best(self):
        return min(self.values) if self.values else None

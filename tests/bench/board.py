"""The board of tests/bench/board.hpp, as the driver sees it."""

import mmap
import os
import struct
import time

from processes import Hung, NANO, now

SLOT = struct.Struct("<8q")
GENERATIONS = 2


class Board:
    def __init__(self, folder, world):
        self.path = os.path.join(folder, "board")
        self.world = world
        size = SLOT.size * world * GENERATIONS
        with open(self.path, "wb") as file:
            file.write(bytes(size))
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), size)
        self.go_path = self.path + ".go"
        os.mkfifo(self.go_path)
        # Both ends here: neither the driver nor the rank that waits is held up at open.
        self.go_fd = os.open(self.go_path, os.O_RDWR | os.O_CLOEXEC)

    def slot(self, rank, generation=0):
        """{pid, started, death, first_signal, signal}; 0 for what has not happened."""
        values = SLOT.unpack_from(self.memory, SLOT.size * (generation * self.world + rank))
        return dict(zip(("pid", "started", "death", "first_signal", "signal"), values))

    def slots(self, generation=0):
        return [self.slot(rank, generation) for rank in range(self.world)]

    def wait_started(self, seconds, running, generation=0):
        """Until every rank of the generation has noted its pid. The only wait here that has to poll: the moment is not
        part of any measurement."""
        deadline = now() + int(seconds * NANO)
        while not all(slot["pid"] for slot in self.slots(generation)):
            if now() > deadline:
                raise Hung("workers did not start")
            if running.status is None and self.ended(running):
                raise Hung("launcher left before its workers started")
            time.sleep(0.002)
        return [slot["pid"] for slot in self.slots(generation)]

    @staticmethod
    def ended(running):
        with open(f"/proc/{running.pid}/stat", "rb") as file:
            text = file.read()
        return text[text.rindex(b")") + 2:][:1] in b"ZX"

    def go(self):
        os.write(self.go_fd, b"g")

    def close(self):
        self.memory.close()
        os.close(self.go_fd)
        os.unlink(self.go_path)
        os.unlink(self.path)

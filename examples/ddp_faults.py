"""A Python worker's side of ddp-launch, in one file to copy next to your script: it reports readiness, steps and
metrics (systemd's sd_notify) and takes part in fault plans (docs/worker.md, "Faults"). Python 3.8 or later, standard
library alone, typed.

    launcher = ddp_faults.Launcher()
    launcher.ready()
    for step in range(1, 101):
        launcher.begin_step(step)              # fault: delay
        ...                                    # backward pass
        launcher.damage(step, gradient)        # faults: nan, bitflip, of anything indexed like a list
        launcher.before_allreduce(step)        # fault: skip-allreduce
        ...                                    # all-reduce
        launcher.end_step(step, loss=loss)     # reports the step; faults: exit, throw, segfault, abort

ready() and end_step() are enough for --progress-timeout, --straggler-factor and faults from outside. Without
ddp-launch, under plain python or torchrun, every call does nothing. Without a plan the calls only notify and never
wait. With one (DDP_FAULTS is set) each step is followed by a barrier, so that a fault "at step 50" is injected there.
"""
from __future__ import annotations

import array
import ctypes
import math
import os
import re
import select
import signal
import socket
import struct
import threading
import time
from typing import Any, Iterable, List, Mapping, Optional, Protocol, SupportsFloat, Tuple

__all__ = ["Fault", "Launcher", "die"]

BARRIER_SECONDS = 10
UNLIMITED = 2**63 - 1
MASK = 2**64 - 1


def mix(x: int) -> int:
    """SplitMix64's finalizer."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def fields(pattern: str, text: str) -> Tuple[Any, ...]:
    """The groups of a pattern that must match all of the text; one that is absent is None."""
    match = re.fullmatch(pattern, text)
    if match is None:
        raise ValueError(f"DDP_FAULTS: '{text}' does not match {pattern}")
    return match.groups()


def ranges(text: str) -> List[Tuple[int, int]]:
    """"1,3-5" as pairs, both ends included."""
    pairs = (fields(r"(\d+)(?:-(\d+))?", part) for part in text.split(","))
    return [(int(first), int(last or first)) for first, last in pairs]


def contains(pairs: Iterable[Tuple[int, int]], number: int) -> bool:
    return any(first <= number <= last for first, last in pairs)


class Fault:
    """One entry of DDP_FAULTS, "<fault>/<done>:<spec>", and when it is due at this rank: the
    same functions of the seed as common/faults/schedule.hpp, so that a plan injects at the same
    steps whatever language the worker is written in."""

    RANK, STEP, GAP, CHOICE = range(4)  # what is drawn

    def __init__(self, text: str, rank: int, world_size: int) -> None:
        number, done, spec = fields(r"(\d+)/([\d,]+):(.*)", text)
        head, _, tail = spec.partition("@")
        self.kind, _, self.value = head.partition("=")
        words = dict(word.split("=", 1) for word in re.split(r",(?=\D)", tail))
        self.number, self.rank, self.world_size = int(number), rank, world_size
        next_one, *beyond = map(int, done.split(","))
        self.next, self.done = next_one, set(beyond)
        self.seed = int(words["seed"])
        self.ranks = words.get("rank", "any")
        self.slot = -1 if self.ranks == "any" else rank
        self.steps = ranges(words.get("step", "0"))[0]
        self.attempts = words.get("gen")
        # "10", or "10steps".
        self.every, self.mtbf = (int(fields(r"(\d+)[a-z]*", words.get(name, "0"))[0])
                                 for name in ("every", "mtbf"))
        self.periodic = bool(self.every or self.mtbf)
        self.times = int(words.get("times", UNLIMITED if self.periodic else 1))
        self.fixed_choice = words.get("choice")
        self.triggered = False

    def concerns(self, attempt: int) -> bool:
        """Whether this rank can be its victim in this attempt."""
        return ((self.ranks in ("any", "all") or contains(ranges(self.ranks), self.rank)) and
                (self.attempts is None or contains(ranges(self.attempts), attempt)))

    def bits(self, occurrence: int, purpose: int) -> int:
        drawn = mix(self.seed)
        for number in ((self.slot + 1) << 32 | self.number, occurrence, purpose):
            drawn = mix(drawn ^ number)
        return drawn

    def mine(self, occurrence: int) -> bool:
        return self.slot >= 0 or self.bits(occurrence, self.RANK) % self.world_size == self.rank

    def step(self, occurrence: int) -> int:
        if self.every:
            return (occurrence + 1) * self.every
        if self.mtbf:
            units = (((self.bits(k, self.GAP) >> 11) + 1) * 2.0**-53 for k in range(occurrence + 1))
            return sum(max(1, math.floor(-self.mtbf * math.log(u) + 0.5)) for u in units)
        first, last = self.steps
        return first + self.bits(occurrence, self.STEP) % (last - first + 1)

    def choice(self, occurrence: int) -> int:
        return int(self.fixed_choice or self.bits(occurrence, self.CHOICE))

    def due(self, step: int) -> Optional[int]:
        """The occurrence that is due at this rank now, None if there is none."""
        if not self.periodic:  # at most once an attempt
            k = self.next
            if self.triggered or k >= self.times or not self.mine(k) or self.step(k) > step:
                return None
            self.triggered = True
            return k
        first, k = None, self.next
        while k < self.times and self.step(k) <= step:
            if self.mine(k) and k not in self.done:
                first = k if first is None else first
                self.done.add(k)
            k += 1
        return first


def seconds(text: str) -> float:
    number, unit = fields(r"([\d.]+)(us|ms|s|m|h)", text)
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}[unit]


class Gradient(Protocol):
    """A float32 tensor, array or list."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> SupportsFloat: ...

    def __setitem__(self, index: int, value: float) -> None: ...


def connect(address: str) -> Optional[socket.socket]:
    """The launcher's socket; None where there is none, or none any more."""
    if not address:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        connection.connect("\0" + address[1:] if address[0] == "@" else address)
    except OSError:
        connection.close()
        return None
    connection.setblocking(False)  # a busy launcher must not stop training
    return connection


class Launcher:
    """What a rank reports to ddp-launch, and the faults that it injects into itself. One for each rank.

    `active` is True while faults are planned: what is needed for faults alone, such as a communication hook, can be
    left out otherwise."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.socket = connect(environ.get("NOTIFY_SOCKET", ""))
        self.heartbeat = int(environ.get("WATCHDOG_USEC", 0)) / 4e6
        self.last_heartbeat = -math.inf
        # No fault without a launcher that records it: a variable that an outer run left injects nothing.
        self.active = self.socket is not None and "DDP_FAULTS" in environ
        self.faults: List[Fault] = []
        if self.active:
            rank, world = int(environ.get("RANK", 0)), int(environ.get("WORLD_SIZE", 1))
            attempt = int(environ.get("TORCHELASTIC_RESTART_COUNT", 0))
            entries = [Fault(text, rank, world) for text in environ["DDP_FAULTS"].split(";") if text]
            self.faults = [fault for fault in entries if fault.concerns(attempt)]

    def notify(self, *lines: str) -> None:
        """Sends lines of the sd_notify protocol. A full queue loses them: training does not wait."""
        try:
            if self.socket:
                self.socket.send("\n".join(lines).encode())
        except OSError:
            pass

    def barrier(self) -> None:
        """BARRIER=1 with a pipe's end: it hangs up when the launcher has handled all before it."""
        if not self.socket or not self.active:
            return
        reader, writer = os.pipe()
        try:
            self.socket.settimeout(BARRIER_SECONDS)
            self.socket.sendmsg([b"BARRIER=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                  array.array("i", [writer]))])
            os.close(writer)
            writer = -1
            hung_up = select.poll()
            hung_up.register(reader, 0)
            hung_up.poll(BARRIER_SECONDS * 1000)
        except OSError:
            pass  # the launcher is gone: nothing to wait for
        finally:
            self.socket.setblocking(False)
            os.close(reader)
            if writer >= 0:
                os.close(writer)

    def ready(self) -> None:
        """This rank is set up. Ends --ready-timeout, begins --heartbeat-timeout and --progress-timeout."""
        self.notify("READY=1")

    def phase(self, name: str) -> None:
        """What the rank does now ("train", "validate", "checkpoint"), for failure reports and phase= triggers."""
        self.notify(f"X_DDP_PHASE={name}")
        self.barrier()

    def digest(self, text: str) -> None:
        """A digest of the result, which a plan's expectation compares with an undisturbed run's."""
        self.notify(f"X_DDP_DIGEST={text}")

    def begin_step(self, step: int) -> None:
        """Before a step's work. Faults: delay."""
        for fault, _ in self.take(step, "delay"):
            time.sleep(seconds(fault.value))

    def end_step(self, step: int, **metrics: object) -> None:
        """Reports a finished step, its metrics, and a heartbeat where one is due. Faults: exit, throw, segfault,
        abort."""
        self.notify(f"X_DDP_STEP={step}", *(f"X_DDP_METRIC={name}={value}"
                                            for name, value in metrics.items()))
        if self.heartbeat and time.monotonic() - self.last_heartbeat >= self.heartbeat:
            self.last_heartbeat = time.monotonic()
            self.notify("WATCHDOG=1")
        self.barrier()
        for fault, _ in self.take(step, "exit", "throw", "segfault", "abort"):
            if fault.kind == "exit":
                os._exit(int(fault.value))
            if fault.kind == "throw":
                raise RuntimeError("injected by the fault plan")
            if fault.kind == "segfault":
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                ctypes.string_at(0)
            os.abort()

    def before_allreduce(self, step: int) -> None:
        """skip-allreduce: blocks here indefinitely, as its peers do in the all-reduce."""
        if self.take(step, "skip-allreduce"):
            threading.Event().wait()

    def dies_in_allreduce(self, step: int) -> bool:
        """True: enqueue the all-reduce of this step, then kill the process with die()."""
        return bool(self.take(step, "die-in-allreduce"))

    def damage(self, step: int, gradient: Gradient) -> None:
        """nan, bitflip, on one element of `gradient`: float32, with len, [] and []=."""
        for fault, choice in self.take(step, "nan", "bitflip"):
            element, bit = choice % len(gradient), int(fault.value or choice >> 59)
            bits, = struct.unpack("<I", struct.pack("<f", float(gradient[element])))
            flipped, = struct.unpack("<f", struct.pack("<I", bits ^ (1 << bit)))
            gradient[element] = math.nan if fault.kind == "nan" else flipped

    def take(self, step: int, *kinds: str) -> List[Tuple[Fault, int]]:
        """The faults of `kinds` that are due in `step`, as (fault, choice), already reported to the
        launcher."""
        injected = []
        for fault in self.faults:
            occurrence = fault.due(step) if fault.kind in kinds else None
            if occurrence is not None:
                self.notify(f"X_DDP_FAULT={fault.number}.{occurrence}@{step}")
                injected.append((fault, fault.choice(occurrence)))
        if injected:
            self.barrier()
        return injected


def die() -> None:
    """Ends this process as an out-of-memory kill would: at once, without clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)

"""What happens after a death: the first signal to the survivors, the survivors' end, the launcher's end; and with a
restart the new generation. All times count from the last statement of the rank that dies, in ms."""

import contextlib
import os
import select
from collections import defaultdict

from board import Board
from measure import Figures
from processes import Hung, NANO, now

METRICS = ("first signal", "survivors gone", "launcher gone")
RESTART_METRICS = ("first rank of the new generation", "last rank of the new generation")
GIVE_UP = 3.0  # seconds without a reaction: "never"
VICTIM = 2     # of the ranks, where there are as many


class Ends:
    """How the launches of one peer ended."""

    def __init__(self):
        self.codes = set()
        self.left_behind = 0


def measure(bench, n, rounds, how):
    """({peer name: {metric: Figures}}, {peer name: Ends})"""
    table, ends = {}, defaultdict(Ends)
    for peer in bench.peers:
        table[peer.name] = {metric: Figures() for metric in METRICS}
    for round_number in range(rounds):
        for peer in bench.peers:
            figures = table[peer.name]
            # A peer that never ends its survivors shows it in two rounds.
            if round_number >= peer.rounds or any(f.given_up() for f in figures.values()):
                continue
            result, left = bench.run(peer, lambda start, folder: once(bench, peer, start, folder, n, how))
            times, code = result or ({}, None)
            for metric in METRICS:
                figures[metric].add(times.get(metric))
            if code is not None:
                ends[peer.name].codes.add(code)
            ends[peer.name].left_behind = max(ends[peer.name].left_behind, len(left))
    for name, figures in table.items():
        bench.say(f"death ({how}) of one of {n}, {name}: " + listed(figures))
    return table, ends


def listed(figures):
    return ", ".join(f"{metric} {f.median:.2f} ms" if f.values else f"{metric} never" for metric, f in figures.items())


def once(bench, peer, start, folder, n, how):
    victim = VICTIM % n
    with contextlib.closing(Board(folder, n)) as board:
        running = start(peer.failing(n, [bench.program("probe"), "group", board.path, str(n), str(victim), how]))
        pids = board.wait_started(30, running)
        survivors = [os.pidfd_open(pid) for rank, pid in enumerate(pids) if rank != victim]
        board.go()
        gone = wait_gone([*survivors, running.pidfd])
        death = board.slot(victim)["death"]
        signals = [slot["first_signal"] for slot in board.slots() if slot["first_signal"]]
        times = {}
        if signals:
            times["first signal"] = (min(signals) - death) / 1e6
        if all(fd in gone for fd in survivors):
            times["survivors gone"] = (max(gone[fd] for fd in survivors) - death) / 1e6
        if running.pidfd in gone:
            times["launcher gone"] = (gone[running.pidfd] - death) / 1e6
        for fd in survivors:
            os.close(fd)
        if running.pidfd not in gone:
            bench.say(f"  {peer.name}: still there {GIVE_UP:.0f} s after the death")
            bench.end(running)
            return times, None
        return times, running.wait(1)


def wait_gone(pidfds):
    """{pidfd: when it ended}, as soon as all have or GIVE_UP is over."""
    poll = select.poll()
    for fd in pidfds:
        poll.register(fd, select.POLLIN)
    gone = {}
    deadline = now() + int(GIVE_UP * NANO)
    while len(gone) < len(pidfds) and now() < deadline:
        for fd, _ in poll.poll(50):
            gone[fd] = now()
            poll.unregister(fd)
    return gone


def measure_restart(bench, n, rounds):
    """{peer name: {metric: Figures}} of the peers that start a new generation at all."""
    peers = [peer for peer in bench.peers if peer.restarts]
    table = {peer.name: {metric: Figures() for metric in RESTART_METRICS} for peer in peers}
    for round_number in range(rounds):
        for peer in peers:
            if round_number >= peer.rounds:
                continue
            times = bench.run(peer, lambda start, folder: once_restart(bench, peer, start, folder, n))[0]
            for metric in RESTART_METRICS:
                table[peer.name][metric].add(None if times is None else times[metric])
    for name, figures in table.items():
        bench.say(f"restart after the death of one of {n}, {name}: " + listed(figures))
    return table


def once_restart(bench, peer, start, folder, n):
    victim = VICTIM % n
    with contextlib.closing(Board(folder, n)) as board:
        running = start(peer.restarting(n, [bench.program("probe"), "group", board.path, str(n), str(victim), "kill"]))
        board.wait_started(30, running)
        board.go()
        if running.wait(peer.deadline) != 0:
            raise Hung(f"left with {running.status} after a restart")
        began = [slot["started"] for slot in board.slots(1)]
        if not all(began):
            raise Hung("the new generation is not complete")
        death = board.slot(victim)["death"]
        return {RESTART_METRICS[0]: (min(began) - death) / 1e6, RESTART_METRICS[1]: (max(began) - death) / 1e6}

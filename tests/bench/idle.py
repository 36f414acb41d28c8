"""What a launcher costs while its workers do nothing, and its memory while they write as fast as they can."""

import contextlib
import os
import time

from board import Board
from processes import Hung, context_switches, cpu_ns, descendants, pss_kib

START_SECONDS = 30  # for all workers to be there


def measure_idle(bench, n, seconds):
    """{peer name: {"processes", "wake-ups a second", "CPU ms a second", "PSS KiB"}}; None for a peer that failed."""
    table = {}
    for peer in bench.peers:
        table[peer.name] = bench.run(peer, lambda start, folder: once(bench, peer, start, folder, n, seconds))[0]
        if table[peer.name]:
            bench.say(f"idle with N={n}, {peer.name}: " + ", ".join(
                f"{value:.4g} {what}" for what, value in table[peer.name].items()))
    return table


def launcher_pids(running, worker_pids):
    """The launcher's own processes: everything below and including it that is no worker."""
    return [running.pid, *descendants(running.pid, without=set(worker_pids))]


def once(bench, peer, start, folder, n, seconds):
    with contextlib.closing(Board(folder, n)) as board:
        running = start(peer.launch(n, [bench.program("probe"), "group", board.path, str(n), "-1", "none"]))
        workers = board.wait_started(60, running)
        time.sleep(1)  # what a launcher still does right after the start is not idling
        own = launcher_pids(running, workers)
        switches, cpu = sum(map(context_switches, own)), sum(map(cpu_ns, own))
        time.sleep(seconds)
        if launcher_pids(running, workers) != own:
            raise Hung("the launcher's processes changed while idle")
        result = {"processes": len(own),
                  "wake-ups a second": (sum(map(context_switches, own)) - switches) / seconds,
                  "CPU ms a second": (sum(map(cpu_ns, own)) - cpu) / 1e6 / seconds,
                  "PSS KiB": sum(map(pss_kib, own))}
        bench.end(running)
        return result


def measure_forwarding(bench, n, seconds):
    """{peer name: highest PSS in KiB over `seconds` of output without pause from n ranks, tagged, to a pipe that is
    read}; None for a peer that failed."""
    table = {}
    for peer in bench.peers:
        if peer.tag is None:
            continue
        table[peer.name] = bench.run(peer, lambda start, _: once_forwarding(bench, peer, start, n, seconds))[0]
        if table[peer.name]:
            bench.say(f"forwarding with N={n}, {peer.name}: PSS at most {table[peer.name]} KiB")
    return table


def once_forwarding(bench, peer, start, n, seconds):
    null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    try:
        # More lines than can be written in that time: the end is ours to choose.
        running = start(peer.tagged(n, [bench.program("probe"), "lines", str(10**9), "block"]), null)
    finally:
        os.close(null)
    probe = os.path.realpath(bench.program("probe"))
    most = 0
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        time.sleep(0.25)
        with contextlib.suppress(OSError):  # a process ended between the listing and the look
            everyone = [running.pid, *descendants(running.pid)]
            own = [pid for pid in everyone if os.path.realpath(f"/proc/{pid}/exe") != probe]
            if len(own) == len(everyone) - (n if peer.workers_below else 0):
                if most == 0:  # all workers are there: from now on it counts
                    until = time.monotonic() + seconds
                most = max(most, sum(map(pss_kib, own)))
    bench.end(running)
    if most == 0:
        raise Hung("no worker was seen")
    return most

"""Tagged output: N ranks write lines as fast as they can through the launcher into a file, and every line that comes
out is compared with what was written."""

import os
import subprocess

from measure import Figures
from processes import Hung

FAULTS = ("torn", "lost", "doubled", "misordered")


class Output:
    def __init__(self):
        self.rate = Figures()                      # millions of lines a second, launch and exit included
        self.worst = dict.fromkeys(FAULTS, 0)      # of all rounds
        self.least = None                          # faults of the best round


def measure(bench, n, lines, rounds, way):
    """{peer name: Output}; way is "block" or "each", see probe.cpp."""
    table = {peer.name: Output() for peer in bench.peers if peer.tag is not None}
    for round_number in range(rounds):
        for peer in bench.peers:
            if peer.name not in table or round_number >= peer.rounds or table[peer.name].rate.given_up():
                continue
            output = table[peer.name]
            result = bench.run(peer, lambda start, folder: once(bench, peer, start, folder, n, lines, way))[0]
            if result is None:
                output.rate.add(None)
                continue
            rate, counts = result
            output.rate.add(rate)
            for fault in FAULTS:
                output.worst[fault] = max(output.worst[fault], counts[fault])
    for name, output in table.items():
        if output.rate.values:
            bench.say(f"{n} x {lines} lines ({way}), {name}: {output.rate.median:.2f} M lines/s, worst round: "
                      + ", ".join(f"{count} {fault}" for fault, count in output.worst.items()))
    return table


def once(bench, peer, start, folder, n, lines, way):
    path = os.path.join(folder, "output")
    out = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        running = start(peer.tagged(n, [bench.program("probe"), "lines", str(lines), way]), out)
        if running.wait(120) != 0:
            raise Hung(f"left with {running.status}")
        os.lseek(out, 0, os.SEEK_SET)
        counts = check(bench, out, peer.tag, n, lines)
    finally:
        os.close(out)
    return n * lines / ((running.ended - running.started) / 1e9) / 1e6, counts


def check(bench, fd, tag, n, lines):
    """{"good": …, "torn": …, "lost": …, "doubled": …, "misordered": …}"""
    done = subprocess.run([bench.program("check_lines"), tag, str(n), str(lines)], stdin=fd, capture_output=True,
                          text=True, timeout=120, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"check_lines: {done.stderr}")
    words = done.stdout.split()
    return dict(zip(words[::2], map(int, words[1::2])))

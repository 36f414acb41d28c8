"""Launch and exit: from before the launcher's start to after its exit, with workers that do nothing."""

from collections import defaultdict

from measure import Figures
from processes import Hung

SLOW_MS = 1000  # what takes longer is repeated three times only


def measure(bench, sizes, rounds, workers):
    """{(worker, n): {peer name: Figures in ms}}; peers take turns, so that the machine's mood meets them all."""
    table = {}
    for worker_name, worker in workers:
        for n in sizes:
            figures = table[worker_name, n] = defaultdict(Figures)
            for round_number in range(-1, rounds):  # round -1 warms the page cache and does not count
                for peer in bench.peers:
                    mine = figures[peer.name]
                    slow = mine.values and mine.median > SLOW_MS
                    if round_number >= min(peer.rounds, 3 if slow else rounds) or mine.given_up():
                        continue
                    value = once(bench, peer, n, worker)
                    if round_number >= 0 or value is None:
                        mine.add(value)
            bench.say(f"launch and exit, {worker_name}, N={n}: " + ", ".join(
                f"{name} {f.median:.1f} ms" if f.values else f"{name} hung" for name, f in figures.items()))
    return table


def once(bench, peer, n, worker):
    def job(start, _):
        running = start(peer.launch(n, worker))
        if running.wait(peer.deadline) != 0:
            raise Hung(f"N={n}: left with {running.status}")
        return (running.ended - running.started) / 1e6
    return bench.run(peer, job)[0]

"""The measured part of docs/benchmarks.md, between two markers; what is written by hand around it stays."""

import os
import platform
import re
import subprocess
import time

from death import METRICS, RESTART_METRICS
from tagged import FAULTS
import targets

BEGIN = "<!-- measured: what stands between these two lines is written by scripts/bench.sh -->"
END = "<!-- measured: end -->"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1)) / (1 << 20)
    return f"{os.cpu_count()} x {model.group(1) if model else platform.machine()}, {memory:.0f} GiB memory"


def system():
    with open("/etc/os-release", encoding="utf-8") as file:
        name = re.search(r'^PRETTY_NAME="?([^"\n]*)', file.read(), re.MULTILINE)
    return f"{name.group(1) if name else '?'}, Linux {platform.release()}"


def commit(folder):
    done = subprocess.run(["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() or "unknown"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def launch_exit(results, peers):
    parts = []
    for worker in dict.fromkeys(name for name, _ in results):
        sizes = [n for name, n in results if name == worker]
        floor = {n: results[worker, n]["bare loop"].median for n in sizes}
        rows = []
        for peer in peers:
            cells = [peer.name]
            for n in sizes:
                figures = results[worker, n][peer.name]
                cell = "never ended"
                if figures.values:
                    cell = f"{number(figures.median)} / {number(figures.worst)} ({figures.median / floor[n]:.2f}x)"
                    if figures.failed:
                        cell += f", failed {figures.failed} of {figures.failed + len(figures.values)}"
                cells.append(cell)
            rows.append(cells)
        parts.append(f"Worker: {worker}.\n\n" + table(["", *(f"N={n}" for n in sizes)], rows))
    return "\n\n".join(parts)


def death(results, how):
    figures, ends = results
    rows = []
    for name, metrics in figures.items():
        cells = [name]
        for metric in METRICS:
            one = metrics[metric]
            cells.append(f"{number(one.median)} / {number(one.worst)}" if one.values else
                         "none sent" if metric == "first signal" else "never (> 3 s)")
        end = ends[name]
        rows.append([*cells, ", ".join(map(str, sorted(end.codes))) or "–", str(end.left_behind)])
    return f"One of 4 ends by {how}.\n\n" + table(["", *METRICS, "exit code", "processes left behind"], rows)


def restart(results):
    return table(["", *RESTART_METRICS], [
        [name, *(f"{number(one[m].median)} / {number(one[m].worst)}" if one[m].values else "never"
                 for m in RESTART_METRICS)] for name, one in results.items()])


def tagged(results):
    rows = []
    for name, output in results.items():
        if output.rate.values:
            rows.append([name, f"{output.rate.median:.2f} / {output.rate.best:.2f}",
                         *(f"{output.worst[fault]:,}" for fault in FAULTS)])
        else:
            rows.append([name, "never ended", *("–" for _ in FAULTS)])
    return table(["", "M lines/s, median / worst", *FAULTS], rows)


def idle(results):
    what = ("processes", "wake-ups a second", "CPU ms a second", "PSS KiB")
    return table(["", *what], [[name, *(f"{one[w]:.4g}" if one[w] < 1000 else f"{one[w]:,.0f}" for w in what)] if one
                               else [name, *("failed" for _ in what)] for name, one in results.items()])


def forwarding(results):
    return table(["", "PSS KiB at most"],
                 [[name, f"{kib:,}" if kib else "failed"] for name, kib in results.items()])


def measured(data, peers, missing, folder):
    """The text of everything that was measured. `data` is what bench.py collected."""
    versions = table(["", "version", ""], [[p.name, p.version() or "–", p.note] for p in peers])
    left_out = "".join(f"\nLeft out: {name}: {why}." for name, why in missing.items())
    load = "; ".join(f"{value:.1f}" for value in data["load"])
    text = [f"Measured {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())} at commit {commit(folder)} on "
            f"{machine()}; {system()}. Load average before and after: {load}{data['priority']}. "
            f"{data['rounds']} rounds (less for peers that take seconds; {data['seconds']:.0f} s in all). "
            f"The launchers take turns within each round. TMPDIR is on {data['filesystem']}.\n\n" + versions + left_out]
    text.append("### Targets\n\n" + table(["target", "measured", "met"], targets.judge(data)))
    text.append("### Launch and exit of N workers\n\nms, median / worst (ratio of the medians to the bare loop).\n\n"
                + launch_exit(data["launch"], peers))
    text.append("### After a death\n\nms since the last statement of the rank that dies, median / worst.\n\n"
                + "\n\n".join(death(result, how) for how, result in data["death"].items()))
    text.append("### Death to the new generation's exec, N=4\n\nms, median / worst, to the first statement of main in "
                "the new worker.\n\n" + restart(data["restart"]))
    for way, (lines, result) in data["tagged"].items():
        how = {"block": "in blocks of 4096 bytes, as stdio does on a pipe", "each": "with one write for each"}[way]
        text.append(f"### Tagged output, 4 x {lines:,} lines, written {how}\n\nCounts are of the worst round.\n\n"
                    + tagged(result))
    for n, (seconds, result) in data["idle"].items():
        text.append(f"### Idle with N={n}, over {seconds} s\n\n" + idle(result))
    for n, (seconds, result) in data["forwarding"].items():
        text.append(f"### Memory while forwarding, N={n}, {seconds} s of output without pause\n\n" + forwarding(result))
    return "\n\n".join(text)


def write(path, text):
    """Replaces what stands between the markers, or appends both."""
    before, after = "# Benchmarks\n\n", "\n"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            page = file.read()
        if BEGIN in page and END in page:
            before, after = page[:page.index(BEGIN)], page[page.index(END) + len(END):]
        else:
            before = page.rstrip() + "\n\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")

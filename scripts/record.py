#!/usr/bin/env python3
"""Records a run of ddp-launch on a terminal and draws its last screen: docs/images/run-{light,dark}.svg.

Usage: scripts/record.py [--bin DIRECTORY] [--out DIRECTORY] [--check]
  --bin DIRECTORY  the built ddp-launch and worker, build/release/bin if not given
  --out DIRECTORY  where the pictures are written, docs/images if not given
  --check          write nothing; fail where ddp-launch's lines in the pictures are no longer what it prints

Only the text and its colours are kept, not the timing. Times and numbers differ from run to run.
"""
import argparse
import fcntl
import html
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 120  # for the run; it takes two
COLUMNS, LINE, CHARACTER, SIZE, MARGIN = 100, 18, 7.8, 13, 16
COMMAND = ["ddp-launch", "--nproc", "4", "--max-restarts", "1", "--inject", "kill@step=50,rank=2", "--",
           "worker", "--data", "LICENSE", "--steps", "80", "--checkpoint-dir", "ckpt", "--checkpoint-every", "20"]
SHOWN = ["$ ddp-launch --nproc 4 --max-restarts 1 --inject kill@step=50,rank=2 \\",
         "      -- worker --data LICENSE --steps 80 --checkpoint-dir ckpt --checkpoint-every 20"]

# Colours by SGR number; "" is text without any.
LIGHT = {"background": "#ffffff", "border": "#d0d7de", "": "#1f2328", "31": "#cf222e", "32": "#116329",
         "33": "#7d4e00", "34": "#0969da", "35": "#8250df", "36": "#1b7c83"}
DARK = {"background": "#0d1117", "border": "#30363d", "": "#e6edf3", "31": "#ff7b72", "32": "#3fb950",
        "33": "#d29922", "34": "#58a6ff", "35": "#bc8cff", "36": "#39c5cf"}

Run = tuple[str, str, bool]  # text, colour, bold


def recorded(bin_directory: pathlib.Path) -> str:
    """What the command writes to a terminal."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(ROOT / "LICENSE", directory)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        environment = os.environ | {"PATH": f"{bin_directory}:{os.environ['PATH']}", "TERM": "dumb",  # no status line
                                    "CUDA_VISIBLE_DEVICES": ""}
        environment.pop("NO_COLOR", None)
        process = subprocess.Popen(COMMAND, cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=theirs, stderr=theirs)
        os.close(theirs)
        output = b""
        deadline = time.monotonic() + SECONDS
        while True:
            if not select.select([ours], [], [], max(0, deadline - time.monotonic()))[0]:
                process.terminate()  # ddp-launch stops its workers
                process.wait(SECONDS)
                sys.exit(f"record: the run was not over after {SECONDS} s")
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # EIO: the last writer has closed it
                break
            if not chunk:
                break
            output += chunk
        os.close(ours)
        if process.wait(SECONDS):
            sys.exit(f"record: ddp-launch exited with {process.returncode}:\n{output.decode(errors='replace')}")
        return output.decode()


def lines_of(output: str) -> list[list[Run]]:
    """Lines of coloured runs, folded at the terminal's width."""
    lines: list[list[Run]] = []
    colour, bold = "", False
    for text in output.replace("\r\n", "\n").rstrip("\n").split("\n"):
        line: list[Run] = []
        column = 0
        for part in re.split(r"(\x1b\[[\d;]*m)", text):
            sequence = re.fullmatch(r"\x1b\[([\d;]*)m", part)
            if sequence:
                for number in (sequence[1] or "0").split(";"):
                    if number == "0":
                        colour, bold = "", False
                    elif number == "1":
                        bold = True
                    elif number in LIGHT:
                        colour = number
                continue
            while part:
                if column == COLUMNS:
                    lines.append(line)
                    line, column = [], 0
                piece, part = part[:COLUMNS - column], part[COLUMNS - column:]
                line.append((piece, colour, bold))
                column += len(piece)
        lines.append(line)
    return lines


def drawn(lines: list[list[Run]], palette: dict[str, str]) -> str:
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
           f'viewBox="0 0 {width:.0f} {height}" font-size="{SIZE}" '
           'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace">',
           "<title>A run of ddp-launch: a rank is killed, the group is restarted</title>",
           f'<rect x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1}" rx="8" '
           f'fill="{palette["background"]}" stroke="{palette["border"]}"/>']
    for row, line in enumerate(lines):
        column = 0
        for text, colour, bold in line:
            if text.strip():
                weight = ' font-weight="bold"' if bold else ""
                svg.append(f'<text x="{MARGIN + column * CHARACTER:.1f}" y="{MARGIN + row * LINE + 13}" '
                           f'textLength="{len(text) * CHARACTER:.1f}" fill="{palette[colour]}"{weight} '
                           f'xml:space="preserve">{html.escape(text, quote=False)}</text>')
            column += len(text)
    return "\n".join([*svg, "</svg>"]) + "\n"


def launcher_lines(text: str) -> list[str]:
    """ddp-launch's own sentences without what differs from run to run."""
    found = []
    for line in re.findall(r"^ddp-launch: .*$", text, re.MULTILINE):
        if "stopped by" not in line:  # how victims exit is up to who sees the death first
            line = re.sub(r"(goodput: [^;]*).*", r"\1", line)  # which parts are the largest
            found.append(re.sub(r"\d[\d.:]*( (ns|us|ms|s|min))?", "#", line))
    return found


def picture_text(svg: str) -> str:
    """The text of a picture, a line for each row, with folded rows joined."""
    rows: dict[str, str] = {}
    for y, text in re.findall(r'<text [^>]*y="(\d+)"[^>]*>(.*?)</text>', svg):
        rows[y] = rows.get(y, "") + html.unescape(text)
    joined = ""
    for text in rows.values():
        joined += text + ("" if len(text) == COLUMNS else "\n")
    return joined


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/images")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    output = recorded(options.bin.resolve())
    pictures = {options.out / "run-light.svg": LIGHT, options.out / "run-dark.svg": DARK}
    if options.check:
        now = launcher_lines(re.sub(r"\x1b\[[\d;]*m", "", output).replace("\r\n", "\n"))
        for path in pictures:
            then = launcher_lines(picture_text(path.read_text()))
            if then != now:
                sys.exit(f"record: {path} shows\n  " + "\n  ".join(then) + "\nddp-launch prints\n  " +
                         "\n  ".join(now) + "\nscripts/record.py draws it again")
        print(f"record: {len(now)} lines of ddp-launch are as in the pictures")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    lines = [[(text, "", True)] for text in SHOWN] + lines_of(output)
    for path, palette in pictures.items():
        path.write_text(drawn(lines, palette))
        print(f"record: wrote {path}: {len(lines)} lines")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Checks that the rooms (source folders) include each other exactly as their heads say, and in no circle.

    include_graph.py [--root D]   prints a line per difference, exit status 1 if there is one
    include_graph.py --write      brings the heads and the table in docs/design.md up to date
    include_graph.py --dot        prints the graph for Graphviz

A room's head is the first comment of its main header (or of its main.cpp):

    // Room: launcher/hangs. What lives here, in a sentence or two.
    // Includes: common, launcher/core. Included by: launcher/supervisor.

The second line, wrapped where it is long, is the graph. An arrow that is new, or that has gone, is a change
of that line, which a reviewer sees.
"""
import argparse
import collections
import pathlib
import re
import sys
import textwrap

from sources import ROOT, sources

ROOMS = ("common", "launcher", "worker")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
COLUMNS = 100
BEGIN, END = "<!-- rooms -->\n", "<!-- end of rooms -->"


def room_of(path):
    return path.rsplit("/", 1)[0]


class Room:
    def __init__(self, name):
        self.name = name
        self.files = []
        self.includes = collections.Counter()  # room -> number of include lines
        self.head = None                       # path of the file that has it
        self.about = ""
        self.said = ""                         # the head's line of arrows, unwrapped


def read(root):
    rooms = {}
    for path in sources(root, (".hpp", ".cpp", ".ipp", ".cu", ".cuh")):
        if not path.startswith(tuple(room + "/" for room in ROOMS)):
            continue
        room = rooms.setdefault(room_of(path), Room(room_of(path)))
        text = (root / path).read_text(encoding="utf-8")
        room.files.append(path)
        for name in INCLUDE.findall(text):
            if room_of(name) != room.name:
                room.includes[room_of(name)] += 1
        if text.startswith("// Room: "):
            head = parse_head(text)
            if head and head[0] == room.name and room.head is None:
                room.head, room.about, room.said = path, head[1], head[2]
            else:
                room.head = "twice or wrong: " + path
    return rooms


def parse_head(text):
    """(room, about, arrows), unwrapped; None where it is not a head."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("//") or line.strip() == "//":
            break
        lines.append(line[2:].strip())
    found = re.fullmatch(r"Room: ([\w/]+)\. (.*?) Includes: (.*)", " ".join(lines))
    return (found.group(1), found.group(2), "Includes: " + found.group(3)) if found else None


def arrows(rooms, room):
    to = ", ".join(sorted(room.includes)) or "no other"
    by = ", ".join(sorted(name for name, other in rooms.items() if room.name in other.includes)) or "no other"
    return f"Includes: {to}. Included by: {by}."


def circles(rooms):
    """Groups of rooms that reach each other (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(name):
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in rooms[name].includes if name in rooms else ():
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name):]
            del stack[stack.index(name):]
            if len(group) > 1:
                found.append(sorted(group))

    for name in rooms:
        if name not in index:
            visit(name)
    return found


def table(rooms):
    rows = [f"| `{name}/` | {room.about} | {', '.join(f'`{other}`' for other in sorted(room.includes))} |"
            for name, room in sorted(rooms.items())]
    return "\n".join(["| Room | What lives there | Includes |", "|---|---|---|", *rows]) + "\n"


def write(root, rooms):
    for room in rooms.values():
        if room.head is None or not (root / room.head).is_file():
            continue
        text = (root / room.head).read_text(encoding="utf-8")
        old = re.match(r"(?:// ?.*\S.*\n)+", text).group(0)
        wrap = lambda line: "".join(f"// {part}\n" for part in textwrap.wrap(line, COLUMNS - 3))
        new = wrap(f"Room: {room.name}. {room.about}") + wrap(arrows(rooms, room))
        (root / room.head).write_text(new + text[len(old):], encoding="utf-8")
    design = root / "docs/design.md"
    text = design.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    design.write_text(text[:begin] + table(rooms) + text[end:], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dot", action="store_true")
    arguments = parser.parse_args()
    rooms = read(arguments.root)
    if arguments.write:
        write(arguments.root, rooms)
        rooms = read(arguments.root)
    if arguments.dot:
        print("digraph rooms {\n" + "".join(f'  "{name}" -> "{other}"\n' for name, room in sorted(rooms.items())
                                             for other in sorted(room.includes)) + "}")
        return 0

    wrong = []
    for name, room in sorted(rooms.items()):
        if room.head is None:
            wrong.append(f"{name}: no head")
        elif room.head not in room.files:
            wrong.append(f"{name}: head {room.head}")
        elif room.said != arrows(rooms, room):
            wrong.append(f"{room.head}: says '{room.said}', the code '{arrows(rooms, room)}'")
    wrong += [f"{' and '.join(group)} include each other" for group in circles(rooms)]
    design = arguments.root / "docs/design.md"
    if design.is_file() and BEGIN + table(rooms) + END not in design.read_text(encoding="utf-8"):
        wrong.append("docs/design.md: the table of rooms differs (include_graph.py --write)")
    for line in wrong:
        print(line)
    print(f"include graph: {len(rooms)} rooms, {sum(len(room.includes) for room in rooms.values())} arrows, "
          f"{len(wrong)} differences")
    return 0 if rooms and not wrong else 1


sys.exit(main())

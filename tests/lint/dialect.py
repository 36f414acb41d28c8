#!/usr/bin/env python3
"""Finds words of words.py in code, comments, tests, docs and scripts; identifiers are read word by word.

    dialect.py [PATH…]    the repository, or these files and directories of it; a line per word, exit status 1 if any
    dialect.py --count    how many there are in each directory
    dialect.py --root D --expect FILE
                          the negative control: the words found under D must be exactly FILE's lines
"""
import argparse
import collections
import pathlib
import re
import sys

from sources import ROOT
from words import forbidden

READ = ("*.hpp", "*.cpp", "*.ipp", "*.cu", "*.cuh", "*.py", "*.sh", "*.md", "*.toml", "*.txt", "*.cmake")
PLACES = ("cmake", "common", "docs", "examples", "launcher", "scripts", "tests", "worker", "CMakeLists.txt",
          "CONTRIBUTING.md", "README.md")
# The words themselves, files that break rules on purpose, and a list that messages.py checks where it comes from.
SKIP = re.compile(r"^tests/lint/(words\.py|messages\.txt|bad/)|/build/|__pycache__")

# Lines that keep a word: (file, a part of the line). Names that users have written, and what others say.
ALLOWED = (
    ("", "every_fault_strikes"),  # the plan key's former name
    ("docs/glossary.md", "~~"),  # words that the glossary advises against
)


def plain(line):
    """Identifiers as words: kMostMissed and most_missed as `k Most Missed` and `most missed`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", line).replace("_", " ")


def files(root, paths):
    for place in paths:
        at = root / place
        found = [at] if at.is_file() else [path for pattern in READ for path in at.rglob(pattern)]
        for path in sorted(found):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not SKIP.search(name):
                yield name, path


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("paths", nargs="*", default=PLACES)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--expect", type=pathlib.Path)
    parser.add_argument("--count", action="store_true")
    arguments = parser.parse_args()

    read = 0
    found = []
    for name, path in files(arguments.root, arguments.paths):
        read += 1
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if any(name.startswith(file) and part in line for file, part in ALLOWED):
                continue
            found += [f"{name}:{number}: '{word}' ({instead}): {line.strip()}"
                      for word, instead in forbidden(plain(line))]
    if arguments.count:
        for place, count in collections.Counter(line.split(":")[0].rpartition("/")[0] for line in found).most_common():
            print(f"{count:6} {place}")
        print(f"{len(found):6} in all")
        return 0
    if arguments.expect:
        expected = arguments.expect.read_text(encoding="utf-8").splitlines()
        found = [("found: " if line in found else "not found: ") + line for line in sorted(set(found) ^ set(expected))]
    for line in found:
        print(line)
    print(f"dialect: {read} files, {len(found)} words")
    return 0 if read and not found else 1


if __name__ == "__main__":
    sys.exit(main())

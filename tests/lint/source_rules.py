#!/usr/bin/env python3
"""Checks the rules between the rooms of the repository, and the habits that a compiler does not check.

    source_rules.py                        the repository; prints a line per breach, exit status 1 if any
    source_rules.py --expect FILE --root D the negative control: the breaches found under D must be exactly
                                           FILE's lines "path: rule"
"""
import argparse
import pathlib
import re
import sys

from sources import ROOT, sources

# Which project directories a file may include, by the longest prefix of its path that is listed. The order of
# the layers: common < core < os < output < launcher; the worker, like the launcher, stands on common.
MAY_INCLUDE = {
    "common/": ("common/",),
    "launcher/core/": ("common/", "launcher/core/"),
    "launcher/os/": ("common/", "launcher/core/", "launcher/os/"),
    "launcher/settings/": ("common/", "launcher/settings/"),
    "launcher/output/": ("common/", "launcher/core/", "launcher/os/", "launcher/output/", "launcher/settings/"),
    "launcher/": ("common/", "launcher/"),
    "ctl/": ("common/", "ctl/", "launcher/"),
    "worker/": ("common/", "worker/"),
    "tests/": ("common/", "ctl/", "launcher/", "tests/", "worker/"),
    "examples/": ("common/",),
}

THIRD_PARTY = re.compile(r"boost/|spdlog/|fmt/|CLI/|toml|gloo/|cblas|hwloc|doctest/|cuda|cublas|nccl")
# common is std and POSIX alone; the core decides and touches nothing.
SYSTEM_OF_CORE = re.compile(r"unistd\.h|fcntl\.h|poll\.h|sys/|linux/|netinet/|arpa/|netdb\.h|thread$|mutex$|fstream$|iostream$")
CLOCK_OF_CORE = re.compile(r"::now\s*\(|\bclock_gettime\b|\bgettimeofday\b|\btime\s*\(\s*(nullptr|0|NULL)\s*\)")
# What a header must not pull into everyone who includes it.
HEAVY = re.compile(r"boost/(asio|process|beast|json)|spdlog/|CLI/|toml|hwloc")
HEAVY_HEADERS = re.compile(r"^launcher/(os/|output/|base/toml\.)|^tests/")  # whose users are those libraries' users anyway, in .cpp files
# The doubles of gpu_sim wait as what they stand for does.
MAY_SLEEP = ("tests/bench/", "tests/gpu_sim/nccl/", "tests/gpu_sim/runtime/")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|sleep)\s*\(")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def without_comments(text):
    """Comments and string literals blanked, line numbers kept; include lines keep their names."""
    pattern = re.compile(r'(^\s*#\s*include[^\n]*)|//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\2"|"(?:\\.|[^"\\\n])*"',
                         re.DOTALL | re.MULTILINE)
    return pattern.sub(lambda m: m.group(1) or re.sub(r"[^\n]", " ", m.group(0)), text)


def include_group(path, quoted, name):
    """0 own header, 1 project, 2 third-party and POSIX, 3 std."""
    if quoted:
        own = re.sub(r"\.\w+$", "", path)
        return 0 if name == own + ".hpp" and not path.endswith(".hpp") else 1
    return 3 if re.fullmatch(r"[a-z_0-9]+", name) else 2


def breaches(root, path):
    raw = (root / path).read_text(encoding="utf-8")
    text = without_comments(raw)
    header = path.endswith((".hpp", ".cuh"))
    if header and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield "header without #pragma once"
    if header and re.search(r"^\s*using\s+namespace\b", text, re.MULTILINE):
        yield "using namespace in a header"
    if path.startswith("tests/") and not path.startswith(MAY_SLEEP) and SLEEP.search(text):
        yield "a test sleeps"
    if path.startswith("launcher/core/") and CLOCK_OF_CORE.search(text):
        yield "core reads a clock"

    room = max((prefix for prefix in MAY_INCLUDE if path.startswith(prefix)), key=len)
    previous = (None, 0)  # group and line of the last include
    conditional = 0
    for number, line in enumerate(text.splitlines(), start=1):
        conditional += bool(re.match(r"\s*#\s*if", line)) - bool(re.match(r"\s*#\s*endif", line))
        found = INCLUDE.match(line)
        if not found:
            continue
        quoted, name = found.group(1) == '"', found.group(2)
        if quoted and not name.startswith(MAY_INCLUDE[room]):
            yield f"{room.rstrip('/')} includes {name}"
        if room == "launcher/core/" and not quoted and (THIRD_PARTY.match(name) or SYSTEM_OF_CORE.match(name)):
            yield f"core includes <{name}>"
        if room == "common/" and THIRD_PARTY.match(name) and not (path == "launcher/base/log.cpp"):
            yield f"common includes <{name}>"
        if header and HEAVY.match(name) and not HEAVY_HEADERS.match(path):
            yield f"heavy <{name}> in a header"
        if conditional == 0 and not path.endswith(".ipp"):
            group = include_group(path, quoted, name)
            if previous[0] is not None and group < previous[0]:
                yield f"include order: {name} comes late"
            elif previous[0] is not None and group != previous[0] and number == previous[1] + 1:
                yield f"include order: no blank line before {name}"
            previous = (group, number)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--expect", type=pathlib.Path)
    arguments = parser.parse_args()

    files = sources(arguments.root)
    found = [f"{path}: {breach}" for path in files for breach in breaches(arguments.root, path)]
    expected = arguments.expect.read_text(encoding="utf-8").splitlines() if arguments.expect else []
    for line in sorted(set(found) - set(expected)):
        print(line)
    for line in sorted(set(expected) - set(found)):
        print(f"not found, though it is there: {line}")
    print(f"source rules: {len(files)} files, {len(found)} breaches, {len(expected)} expected")
    return 0 if files and sorted(found) == sorted(expected) else 1


sys.exit(main())

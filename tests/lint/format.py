#!/usr/bin/env python3
"""Compares every C++ and CUDA source with clang-format's output; --fix rewrites them.

Exit status: 0 same, 1 different, 77 when clang-format 14 is not installed (CTest's skip code): other
versions format differently.
"""
import shutil
import subprocess
import sys

from sources import ROOT, sources


def clang_format():
    for name in ("clang-format-14", "clang-format"):
        path = shutil.which(name)
        if path and " 14." in subprocess.run([path, "--version"], capture_output=True, text=True).stdout:
            return path
    return None


def main():
    tool = clang_format()
    if tool is None:
        print("format: clang-format 14 is missing: apt-get install clang-format-14")
        return 77
    files = sources()
    if not files:
        print(f"format: no source file under {ROOT}")
        return 1
    mode = ["-i"] if "--fix" in sys.argv[1:] else ["--dry-run", "--Werror"]
    return 1 if subprocess.run([tool, *mode, *files], cwd=ROOT).returncode else 0


sys.exit(main())

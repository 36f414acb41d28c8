#!/usr/bin/env python3
"""Lists every sentence that ddp-launch can print, and checks how it is written.

    messages.py           checks each sentence: its width, words, tense and full stop, and that it is there once
    messages.py --listed  compares the sentences with tests/lint/messages.txt
    messages.py --write   writes messages.txt, so that a diff shows each new and changed sentence
    messages.py --root D --expect FILE
                          the negative control: the faults found under D must be exactly FILE's lines

A sentence is a string of launcher/ or common/ with at least two words: literals, and what is joined to them by + or
put in by fmt, which shows as {}.
"""
import argparse
import collections
import pathlib
import re
import sys

from sources import ROOT
from words import forbidden

WIDTH = 130  # columns, without what replaces a placeholder
WRAPPED = re.compile(r"launcher/\w+/(?:flags|\w*options)\.cpp")  # descriptions of flags: --help wraps them
DIRECTORIES = ("common", "launcher")

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
      | (?P<raw>R"(?P<mark>[^(\s]*)\((?P<body>.*?)\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>'(?:\\.|[^'\\\n])+')
      | (?P<space>\s+)
      | (?P<code>\w+|::|->|[=!<>]=|<<|>>|&&|\|\||.)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE)
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t"}
ENDS_A_STRING = frozenset((",", ";", "?", ":", "=", "==", "!=", "<<", "&&", "||", "return"))

WORD = r"[A-Za-z][A-Za-z'-]+"
TWO_WORDS = re.compile(rf"{WORD}[,:;]?\s+(?:\S*\s+)*?[('`\"]?{WORD}")
TENSE = re.compile(r"\b(?:will|shall|had \w+ed)\b", re.IGNORECASE)


def unescaped(literal):
    return ESCAPE.sub(lambda m: ESCAPED.get(m.group(1), m.group(1) if m.group(1) in "\"'\\?" else "?"), literal)


class Strings:
    """The strings of C++ code, each joined from its parts."""

    def __init__(self, code):
        self.tokens = [token for token in TOKEN.finditer(code)
                       if token.lastgroup not in ("comment", "space", "directive")]
        self.at = 0
        self.found = []
        while self.at < len(self.tokens):
            self.scan()
            self.at += 1  # a bracket that closes nothing

    def scan(self):
        """Up to the closing bracket of this level."""
        parts = []  # literals, "{}" for other operands

        def finish():
            if any(part != "{}" for part in parts):
                self.found.append("".join(parts))
            parts.clear()

        operand = False
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            text = token.group(0)
            if token.group("string") or token.group("raw"):
                parts.append(unescaped(text[1:-1]) if token.group("string") else token.group("body"))
                operand = False
            elif text in ")]}":
                break
            elif text in "([{":
                self.at += 1
                outer, self.found = self.found, []
                self.scan()
                inner, self.found = self.found, outer
                self.found += inner
                # "(" around a string that goes on behind it, as in (x ? "a" : "b") + …
                if not operand:
                    parts.append("{}")
                operand = True
                if text == "{":
                    finish()
                    operand = False
            elif text in ENDS_A_STRING:
                finish()
                operand = False
            elif text == "+":
                operand = False
            elif not operand:
                parts.append("{}")
                operand = True
            self.at += 1
        finish()


def sentences(root):
    """(file, sentence) in the order of the files."""
    for directory in DIRECTORIES:
        for path in sorted((root / directory).rglob("*.[ch]pp")):
            code = re.sub(r"\bstatic_assert\([^;]*;", "", path.read_text(encoding="utf-8"))  # for compilers
            for text in Strings(code).found:
                if TWO_WORDS.search(text) and "\n\t" not in text:  # not assembly
                    yield path.relative_to(root).as_posix(), text


def faults(found):
    """One line per fault of the sentences."""
    files = collections.defaultdict(list)
    for file, text in found:
        files[text.strip()].append(file)
        for line in text.split("\n"):
            width = len(re.sub(r"\{[^{}]*\}", "", line.removeprefix("ddp-launch: ")))
            if width > WIDTH and not WRAPPED.fullmatch(file):
                yield f"{file}: {width} columns: {line}"
        for word, instead in forbidden(text):
            yield f"{file}: '{word}' ({instead}): {text}"
        for word in TENSE.findall(text):
            yield f"{file}: '{word}', expected the present or the simple past: {text}"
        # What begins with a capital letter is prose, of --help.
        if re.fullmatch(r"[^A-Z\n].*(?<!\.\.)\.", text.strip()):
            yield f"{file}: a full stop at the end: {text}"
    for text, where in files.items():
        if len(where) > 1 and len(re.findall(WORD, text)) > 2:
            yield f"{', '.join(where)}: the same sentence {len(where)} times: {text}"


def differences(now, before):
    for line in sorted(set(now) ^ set(before)):
        yield ("not listed: " if line in now else "listed, but not in the code: ") + line


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--expect", type=pathlib.Path)
    parser.add_argument("--listed", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()

    found = list(sentences(arguments.root))
    lines = sorted({f"{file}: {text!r}" for file, text in found})
    path = arguments.root / "tests/lint/messages.txt"
    if arguments.write:
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return 0
    if arguments.listed:
        wrong = list(differences(lines, path.read_text(encoding="utf-8").splitlines()))
        if wrong:
            wrong.append("to list them: tests/lint/messages.py --write")
    else:
        wrong = sorted(fault.replace("\n", "\\n") for fault in faults(found))
    if arguments.expect:
        wrong = list(differences(wrong, arguments.expect.read_text(encoding="utf-8").splitlines()))
    for line in wrong:
        print(line)
    print(f"messages: {len(found)} sentences")
    return 0 if found and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())

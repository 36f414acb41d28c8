"""Every shell command in the documents runs, and every link, file and test in them exists.

Usage: docs_test.py ROOT --bin DIRECTORY [--write]
  ROOT             what holds README.md, docs/ and examples/
  --bin DIRECTORY  the built ddp-launch, ddpctl and worker; the tests are of the build directory that holds it
  --write          write the table of exit codes in README.md first

Each ```sh block runs with bash -e in a new directory that holds README.md, examples/, train.py (a
stub) and the files of the document: blocks whose first line is "# <name>.<toml|py>". It must exit 0
or, after a line <!-- exits N -->, N. A block that cannot run here has <!-- not run: reason --> on the
line before it.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
WIDTH = 100
BLOCK_SECONDS = 60
# Six devices to count, and none that CUDA sees: it ignores what follows an index that does not exist.
NO_GPU = "99,98,97,96,95,94"
SHELLS = ("bash", "shell", "console", "zsh", "")
GENERATED = re.compile(r"<!-- (measured|faults): what stands.*?<!-- (measured: end|end of faults) -->", re.DOTALL)


@dataclasses.dataclass
class Block:
    document: str
    line: int  # of the opening fence
    language: str
    mark: str  # the line before it, where that is a comment
    text: str

    def place(self) -> str:
        return f"{self.document}:{self.line}"


def blocks_of(document: str, text: str) -> list[Block]:
    found, lines, at = [], text.split("\n"), 0
    while at < len(lines):
        fence = re.match(r"(\s*)```(\S*)\s*$", lines[at])
        if not fence:
            at += 1
            continue
        begin = at
        at += 1
        while at < len(lines) and not re.match(r"\s*```\s*$", lines[at]):
            at += 1
        mark = lines[begin - 1].strip() if begin and lines[begin - 1].strip().startswith("<!--") else ""
        body = "\n".join(line.removeprefix(fence[1]) for line in lines[begin + 1:at]) + "\n"
        found.append(Block(document, begin + 1, fence[2], mark, body))
        at += 1
    return found


def outside_blocks(text: str) -> list[str]:
    """The lines, with those of fenced blocks left empty."""
    lines, inside = [], False
    for line in text.split("\n"):
        fence = re.match(r"\s*```", line)
        lines.append("" if inside or fence else line)
        inside ^= bool(fence)
    return lines


def anchors_of(text: str) -> set[str]:
    """GitHub's names of the headings."""
    anchors: set[str] = set()
    for line in outside_blocks(text):
        heading = re.match(r"#+\s+(.*)", line)
        if heading:
            name = re.sub(r"[^\w\- ]", "", heading[1].replace("`", "").lower()).strip().replace(" ", "-")
            number, unique = 0, name
            while unique in anchors:
                number += 1
                unique = f"{name}-{number}"
            anchors.add(unique)
    return anchors


def link_problems(root: pathlib.Path, document: str, texts: dict[str, str]) -> list[str]:
    problems = []
    for number, line in enumerate(outside_blocks(texts[document]), 1):
        links = re.findall(r"\]\(([^)\s]+)\)", line) + re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", line)
        for link in links:
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (root / document).parent / path if path else root / document
            if not target.exists():
                problems.append(f"{document}:{number}: {link}: no such file")
                continue
            if anchor and target.suffix == ".md" and anchor not in anchors_of(target.read_text()):
                problems.append(f"{document}:{number}: {link}: no such heading")
    return problems


def path_problems(root: pathlib.Path, document: str, text: str) -> list[str]:
    """Files of the project that a document names."""
    problems = []
    for number, line in enumerate(outside_blocks(text), 1):
        for path in re.findall(r"(?<![\w/.])((?:client|common|launcher|worker|tests|scripts|docs|examples|cmake)/"
                               r"[\w./-]*\w)", re.sub(r"\]\([^)]*\)", "]", line)):
            if not (root / path).exists():
                problems.append(f"{document}:{number}: {path}: no such file")
    return problems


def test_problems(tests: set[str], document: str, text: str) -> list[str]:
    """Tests that a document names."""
    return [f"{document}:{number}: {name}: no such test" for number, line in enumerate(outside_blocks(text), 1)
            for name in re.findall(r"`((?:e2e|os|docs|example|campaign|torch)_\w+)`", line) if name not in tests]


def form_problems(document: str, text: str) -> list[str]:
    problems = []
    generated = [False] * len(text.split("\n"))
    for match in GENERATED.finditer(text):
        first, last = text.count("\n", 0, match.start()), text.count("\n", 0, match.end())
        generated[first:last + 1] = [True] * (last + 1 - first)
    for number, line in enumerate(outside_blocks(text), 1):
        if len(line) > WIDTH and not line.lstrip().startswith(("|", "<")) and "](" not in line and not generated[number - 1]:
            problems.append(f"{document}:{number}: {len(line)} columns: expected {WIDTH} at most")
        if re.match(r"    +(\$ )?(ddp-launch|worker|python3?|scripts/\S+|cmake) ", line):
            problems.append(f"{document}:{number}: a command outside a ```sh block")
    for block in blocks_of(document, text):
        if block.language in SHELLS:
            problems.append(f"{block.place()}: a block of '{block.language}': expected sh, or text for output")
    return problems


def exit_code_rows(ddp_launch: pathlib.Path) -> list[tuple[str, str]]:
    text = subprocess.run([ddp_launch, "--help"], capture_output=True, text=True, check=True).stdout
    section = text[text.index("Exit codes:\n"):].split("\n")[1:]
    rows: list[tuple[str, str]] = []
    for line in section:
        row = re.match(r"  (\S+)\s+(\S.*)", line)
        if row and len(line) - len(line.lstrip()) == 2:
            rows.append((row[1], row[2]))
        elif line.strip() and rows:  # what did not fit in the line
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}")
        else:
            break
    return rows


BEGIN, END = "<!-- exit codes -->\n", "<!-- end of exit codes -->"


def exit_code_table(ddp_launch: pathlib.Path) -> str:
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in exit_code_rows(ddp_launch))
    return f"| Code | Meaning |\n|---|---|\n{rows}"


class Runner:
    def __init__(self, root: pathlib.Path, bin_directory: pathlib.Path, scratch: pathlib.Path):
        self.root, self.bin, self.scratch = root, bin_directory, scratch
        self.path = scratch / "path"
        self.path.mkdir()
        for program in ("ddp-launch", "ddpctl", "worker"):
            (self.path / program).symlink_to(bin_directory / program)
        (self.path / "python3").symlink_to("/usr/bin/python3")
        # A user's machine may have no "python": an example that needs it fails.
        (self.path / "python").write_text("#!/bin/sh\necho \"python: write python3\" >&2\nexit 127\n")
        (self.path / "python").chmod(0o755)

    def run(self, block: Block, files: dict[str, str]) -> str | None:
        """What went wrong, or nothing."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        shutil.copy(PROJECT / "README.md", directory)
        shutil.copytree(PROJECT / "examples", directory / "examples")
        shutil.copy(HERE / "train.py", directory)
        for name, text in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        temporary = directory / "tmp"
        temporary.mkdir()
        environment = {name: value for name, value in os.environ.items()
                       if not re.match(r"DDP_|RANK|LOCAL_|WORLD_|MASTER_|TORCHELASTIC_|NOTIFY_|XDG_", name)}
        environment |= {"PATH": f"{self.path}:/usr/bin:/bin", "TMPDIR": str(temporary), "CUDA_VISIBLE_DEVICES": NO_GPU,
                        "DDP_EXAMPLES": str(directory / "examples"), "PYTHONDONTWRITEBYTECODE": "1"}
        expected = re.fullmatch(r"<!-- exits (\d+) -->", block.mark)
        process = subprocess.Popen(["bash", "-eu", "-o", "pipefail", "-c", block.text], cwd=directory, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True, text=True, errors="replace")
        try:
            said = process.communicate(timeout=BLOCK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = process.communicate()[0]
            return f"still runs after {BLOCK_SECONDS} s:\n{said}"
        wanted = int(expected[1]) if expected else 0
        if process.returncode != wanted:
            return f"exited with {process.returncode}, expected {wanted}:\n{said}"
        if list(temporary.iterdir()):
            return f"left in TMPDIR: {[path.name for path in temporary.iterdir()]}"
        return None


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    root, begin = options.root.resolve(), time.monotonic()
    ddp_launch = options.bin.resolve() / "ddp-launch"
    readme = root / "README.md"
    table = exit_code_table(ddp_launch)
    listed = subprocess.run(["ctest", "--test-dir", options.bin.resolve().parent, "--show-only"],
                            capture_output=True, text=True, check=True).stdout
    tests = set(re.findall(r"Test +#\d+: (\w+)", listed))
    if options.write:
        text = readme.read_text()
        readme.write_text(text[:text.index(BEGIN)] + BEGIN + table + text[text.index(END):])

    documents = ["README.md", *sorted(str(path.relative_to(root)) for path in root.glob("docs/**/*.md"))]
    documents += [name for name in ("CONTRIBUTING.md", "CHANGELOG.md") if (root / name).exists()]
    texts = {name: (root / name).read_text() for name in documents}
    problems, jobs, skipped = [], [], []
    if f"{BEGIN}{table}{END}" not in texts["README.md"]:
        problems.append("README.md: the exit codes are not those of ddp-launch --help (--write writes them)")
    for name in documents:
        problems += link_problems(root, name, texts)
        if name in ("CHANGELOG.md", "CONTRIBUTING.md"):
            continue
        problems += form_problems(name, texts[name]) + path_problems(root, name, texts[name])
        problems += test_problems(tests, name, texts[name])
        blocks = blocks_of(name, texts[name])
        files = {}
        for block in blocks:
            title = re.match(r"# ([\w./-]+\.(?:toml|py))\n", block.text)
            if title:
                files[title[1]] = block.text
        for block in blocks:
            if block.language != "sh":
                continue
            reason = re.fullmatch(r"<!-- not run:\s*(.*?)\s*-->", block.mark)
            if reason and not reason[1]:
                problems.append(f"{block.place()}: not run, without a reason")
            elif reason:
                skipped.append(f"{block.place()}: {reason[1]}")
            elif re.search(r"\bworker\b", block.text) and not (options.bin / "worker").exists():
                skipped.append(f"{block.place()}: worker is not built")
            else:
                jobs.append((block, files))


    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(root, options.bin.resolve(), pathlib.Path(scratch))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for (block, _), failure in zip(jobs, pool.map(lambda job: runner.run(*job), jobs)):
                if failure:
                    problems.append(f"{block.place()}: {failure}")
    for line in skipped:
        print(f"not run: {line}")
    for line in problems:
        print(line)
    print(f"{len(jobs)} blocks ran, {len(skipped)} did not, in {len(documents)} documents: "
          f"{len(problems)} problems, {time.monotonic() - begin:.1f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

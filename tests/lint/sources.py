"""Which files the checks read."""
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIRECTORIES = ("common", "ctl", "examples", "launcher", "tests", "worker")
SAMPLES = "tests/lint/bad/"  # files that break the rules on purpose


def sources(root=ROOT, suffixes=(".hpp", ".cpp", ".ipp", ".cu", ".cuh")):
    """Paths relative to `root`, in order."""
    names = sorted(path.relative_to(root).as_posix() for directory in DIRECTORIES
                   for path in (root / directory).rglob("*") if path.suffix in suffixes and path.is_file())
    return [name for name in names if not name.startswith(SAMPLES)]

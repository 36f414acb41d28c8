"""docs/events.md has a row for each event that the launcher writes, and for no other.

Usage: events_documented.py ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
written = set()
for source in (root / "launcher").rglob("*.[ch]pp"):
    text = source.read_text()
    written |= set(re.findall(r'\.write\([^;"]*?now\(?\)?, "(\w+)"', text))
    written |= set(re.findall(r'\bk\w+Event =\s+"(\w+)"', text))
documented = re.findall(r"^\| `(\w+)` \|", (root / "docs/events.md").read_text(), re.MULTILINE)
for event in sorted(written - set(documented)):
    print(f"docs/events.md: no row for {event}")
for event in sorted(set(documented) - written):
    print(f"docs/events.md: nothing writes {event}")
if len(documented) != len(set(documented)):
    print("docs/events.md: a row twice")
sys.exit(not written or sorted(documented) != sorted(written))

"""docs/events.md has a row for each event that the launcher writes, and for no other, and events.schema.json has the
same events and fields.

Usage: events_documented.py ROOT
"""
import json
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
written = set()
for source in (root / "launcher").rglob("*.[ch]pp"):
    text = source.read_text()
    written |= set(re.findall(r'\.write\([^;"]*?now\(?\)?, "(\w+)"', text))
    written |= set(re.findall(r'\bk\w+Event =\s+"(\w+)"', text))
table = (root / "docs/events.md").read_text().partition("\n## ")[0]
rows = dict(re.findall(r"^\| `(\w+)` \|(.*)", table, re.MULTILINE))
documented = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
schema = json.loads((root / "docs/events.schema.json").read_text())["$defs"]
for event in sorted(written - set(documented)):
    print(f"docs/events.md: no row for {event}")
for event in sorted(set(documented) - written):
    print(f"docs/events.md: nothing writes {event}")
if len(documented) != len(set(documented)):
    print("docs/events.md: a row twice")
for event in sorted(written ^ set(schema)):
    print(f"docs/events.schema.json: {'no' if event in written else 'nothing writes'} {event}")
missing = [f"docs/events.md: the row of {event} lacks {field}, which events.schema.json has"
           for event, one in schema.items() for field in one["properties"]
           if field not in ("gen", "rank") and f"`{field}`" not in rows.get(event, "")]
print("\n".join(missing))
sys.exit(not written or sorted(documented) != sorted(written) or sorted(schema) != sorted(written) or bool(missing))

"""Every line of events.jsonl that the end-to-end tests made the launcher write is as docs/events.schema.json says.

Usage: events_schema.py SCHEMA DIRECTORY

Stricter than the published schema, which lets fields be added: here each event and each field must be in it. Exits
with 77 (skipped) where Python has no jsonschema. DIRECTORY is removed at the end, unless a line is wrong.
"""
import collections
import json
import pathlib
import shutil
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("skipped: no module jsonschema; scripts/setup.sh --tests installs it")
    sys.exit(77)

# Of a launcher that was killed or whose disk was full.
INCOMPLETE = "an incomplete last line"


def strict_validators(schema: dict) -> dict[str, Draft202012Validator]:
    """By event."""
    Draft202012Validator.check_schema(schema)
    validators = {}
    for name, event in schema["$defs"].items():
        fields = {**schema["properties"], **event["properties"], "event": {"const": name}}
        strict = {**event, "properties": fields, "required": schema["required"] + event["required"],
                  "additionalProperties": False}
        validators[name] = Draft202012Validator(strict)
    return validators


def example_of(field: dict) -> object:
    if "const" in field:
        return field["const"]
    if "enum" in field:
        return field["enum"][0]
    if "anyOf" in field:
        return 1.5
    texts = {"^[0-9]{4}-": "2026-01-31T12:00:00.123456Z", "^(exit ": "exit 1", "^[a-z": "a-name"}
    text = next((text for start, text in texts.items() if field.get("pattern", "").startswith(start)), "text")
    return {"integer": field.get("minimum", 7), "number": 0.5, "boolean": True, "string": text}[field["type"]]


def control(validators: dict[str, Draft202012Validator]) -> list[str]:
    """What the validators accept and must not, or reject and must not: of each event a line that is right, and of
    that one copies that each have one thing wrong."""
    failures = []
    for name, validator in validators.items():
        fields = validator.schema["properties"]
        needed = list(validator.schema["required"])
        for one_of in validator.schema.get("oneOf", [])[:1]:
            needed += one_of["required"]
        line = {field: example_of(fields[field]) for field in needed}
        if not validator.is_valid(line):
            failures.append(f"control: {name}: rejected {line}")
        wrong = [("a field that is not in the schema", {**line, "no_such_field": 1})]
        for field in needed:
            wrong.append((f"no {field}", {key: value for key, value in line.items() if key != field}))
            wrong.append((f"{field} is an array", {**line, field: []}))
        failures += [f"control: {name}: accepted with {what}" for what, bad in wrong if validator.is_valid(bad)]
    return failures


def problems_of(path: pathlib.Path, validators: dict[str, Draft202012Validator],
                seen: collections.Counter) -> list[str]:
    lines = path.read_bytes().split(b"\n")
    seen[INCOMPLETE] += lines.pop() != b""
    problems = []
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            validator = validators[line["event"]]
        except (ValueError, KeyError, TypeError) as problem:
            problems.append(f"{path}:{number}: {problem!r}: {text[:200]!r}")
            continue
        seen[line["event"]] += 1
        problems += [f"{path}:{number}: {line['event']}: {error.message}" for error in validator.iter_errors(line)]
    return problems


def main() -> int:
    schema, directory = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    validators = strict_validators(schema)
    if list(validators) != schema["properties"]["event"]["enum"]:
        print("the events of the schema and their $defs differ")
        return 1
    seen: collections.Counter = collections.Counter()
    problems = control(validators)
    files = sorted(directory.glob("*.jsonl"))
    for path in files:
        problems += problems_of(path, validators, seen)
    print(f"{sum(seen.values())} lines of {len(files)} runs")
    for event in [INCOMPLETE, *validators]:
        print(f"  {seen[event]:6} {event}")
    print("\n".join(problems[:50]))
    if problems:
        print(f"{len(problems)} problems; the lines are kept in {directory}")
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return 0


sys.exit(main())

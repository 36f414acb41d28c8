#!/usr/bin/env python3
"""Reads the trace of a real run as a viewer of the Trace Event Format does.

    trace_test.py CONVERT EVENTS
    trace_test.py TRACE

CONVERT makes the trace of EVENTS; TRACE is one already, and its number of events is printed. Each event must have what the format demands of its phase, and the spans of a thread
must nest.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

NAMES = {"process_name", "process_labels", "process_sort_index", "thread_name", "thread_sort_index"}


class BadTrace(Exception):
    pass


def number(event, field):
    value = event.get(field)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadTrace(f"{field} is no number: {event}")
    return value


def check(trace):
    """Raises BadTrace where the format is broken. Returns the events by phase."""
    phases = collections.defaultdict(list)
    threads = collections.defaultdict(list)
    for event in trace["traceEvents"]:
        phase = event.get("ph")
        if not isinstance(event.get("name"), str) or not event["name"]:
            raise BadTrace(f"no name: {event}")
        for field in ("pid", "tid"):
            if not isinstance(event.get(field), int):
                raise BadTrace(f"no {field}: {event}")
        if phase == "M":
            if event["name"] not in NAMES or not isinstance(event["args"]["name"], str):
                raise BadTrace(f"no such metadata: {event}")
        elif phase == "X":
            if number(event, "ts") < 0 or number(event, "dur") < 0:
                raise BadTrace(f"before the beginning: {event}")
            threads[event["pid"], event["tid"]].append(event)
        elif phase == "i":
            number(event, "ts")
            if event.get("s") not in ("g", "p", "t"):
                raise BadTrace(f"no scope: {event}")
        elif phase == "C":
            number(event, "ts")
            if not event["args"]:
                raise BadTrace(f"counts nothing: {event}")
            for series in event["args"]:
                number(event["args"], series)
        else:
            raise BadTrace(f"unknown phase: {event}")
        phases[phase].append(event)
    for spans in threads.values():
        check_nesting(spans)
    return phases


def check_nesting(spans):
    within = []
    for span in sorted(spans, key=lambda one: (one["ts"], -one["dur"])):
        begin, end = round(span["ts"] * 1000), round((span["ts"] + span["dur"]) * 1000)
        while within and within[-1] <= begin:
            within.pop()
        if within and end > within[-1]:
            raise BadTrace(f"ends after the span around it: {span}")
        within.append(end)


def refused(trace, event):
    try:
        check({"traceEvents": trace["traceEvents"] + [event]})
    except BadTrace:
        return True
    return False


def main():
    if len(sys.argv) == 2:
        trace = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))
        check(trace)
        print(len(trace["traceEvents"]))
        return
    convert, events = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "trace.json")
        subprocess.run([convert, events, f"{folder}/report.html", output], check=True, timeout=60)
        trace = json.loads(output.read_text("utf-8"))
    phases = check(trace)
    recorded = [json.loads(line) for line in pathlib.Path(events).read_text("utf-8").splitlines()]
    starts = sum(one["event"] == "worker_started" for one in recorded)
    faults = sum(one["event"] == "fault_injected" for one in recorded)
    points = sum(one["event"] == "progress" for one in recorded)
    lives = [one for one in phases["X"] if one["pid"] == 1 and one["name"].startswith("attempt ")]
    assert len(lives) == starts == 12, lives
    assert sum(one["name"] == "fault" for one in phases["i"]) == faults == 3
    assert sum(one["name"] == "death" for one in phases["i"]) == 2
    assert sum(one["name"] == "step" for one in phases["C"]) == points > 50
    names = {one["name"] for one in phases["X"]}
    assert {"start-up", "recovery", "steps", "detection", "teardown", "back-off", "steps that were repeated"} <= names
    # The negative control: each mistake is found.
    span = lives[0]
    assert not refused(trace, dict(span, tid=999))
    assert refused(trace, {"ph": "X", "name": "a", "pid": 1, "tid": 0, "ts": 5})
    assert refused(trace, dict(span, ts=span["ts"] + span["dur"] / 2, dur=span["dur"]))
    assert refused(trace, {"ph": "C", "name": "loss", "pid": 0, "tid": 0, "ts": 5, "args": {"loss": "nan"}})
    assert refused(trace, {"ph": "i", "name": "a", "pid": 0, "tid": 0, "ts": 5})
    assert refused(trace, {"ph": "?", "name": "a", "pid": 0, "tid": 0, "ts": 5})
    print(f"{len(trace['traceEvents'])} events, all well-formed")


if __name__ == "__main__":
    main()

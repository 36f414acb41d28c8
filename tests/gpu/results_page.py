"""results.json as a Markdown page."""
import textwrap

FILE = "gpu-results.md"
REHEARSAL = ("A rehearsal on a simulated device, and no GPU result: the programs ran over doubles of "
             "the CUDA runtime, cuBLAS and NCCL. Its times mean nothing.")


def headline(facts):
    names = facts["devices"]
    cards = ", ".join(f"{names.count(n)} x {n}" for n in dict.fromkeys(names)) or "no GPU"
    return ("rehearsal, no GPU result: " if facts["rehearsal"] else "") + cards


def versions(facts):
    torch = facts["pytorch"]
    torch_text = "none" if torch is None else torch["version"] + (
        f" (CUDA {torch['cuda']}, NCCL {torch['nccl']})" if torch["usable"] else " (no GPU)")
    return [("Devices", headline(facts)), ("Driver", facts["driver"]),
            ("CUDA of the driver", facts.get("cuda_driver", "not known")),
            ("CUDA toolkit of the build", facts["cuda_toolkit"]),
            ("NCCL", facts.get("nccl", "not known")), ("cuBLAS", facts.get("cublas", "not known")),
            ("PyTorch", torch_text), ("CPUs", facts["cpus"]), ("Date", facts["date"]),
            ("Commit", facts["commit"])]


def table(head, rows):
    cells = [[str(c).replace("|", "\\|") for c in row] for row in rows]
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
            *("| " + " | ".join(row) + " |" for row in cells), ""]


def number(value):
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return value


def figures(entries):
    """One table for each set of columns, in the order in which they came."""
    kinds = {}
    for entry in entries:
        kinds.setdefault(tuple(entry), []).append([number(v) for v in entry.values()])
    return [line for head, rows in kinds.items() for line in table(head, rows)]


def page(results):
    facts, sections = results["facts"], results["sections"]
    title = "# GPU results" + (": a rehearsal, no GPU result" if facts["rehearsal"] else "")
    about = ("Written by `scripts/gpu-check.sh`. Every figure was measured in this run, on this "
             "machine; programs that are compared ran in turn.")
    if facts["rehearsal"]:
        about = REHEARSAL + " " + about
    lines = [title, "", *textwrap.wrap(about, 100), "", *table(("What", "Which"), versions(facts)),
             "## Sections", "",
             *table(("Section", "Result", "Seconds", "Why"),
                    [(s["title"], s["result"], s["seconds"], s["reason"]) for s in sections])]
    for section in sections:
        if section["figures"]:
            lines += [f"## {section['title']}", "", *figures(section["figures"])]
    return "\n".join(lines).rstrip("\n") + "\n"

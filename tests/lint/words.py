"""The words that messages, comments and docs do not use, each with what to write instead.

One term stands for one thing (docs/glossary.md), in the words of torchrun, Slurm, systemd and Kubernetes.
"""
import re

# A pattern (whole words, any case) and what to write instead.
WORDS = {
    r"stri(?:ke|kes|king)|struck": "a fault is injected, is triggered",
    r"tells?|told|telling": "report, send, log, print, show",
    r"blame[ds]?|to blame|blaming": "root cause",
    r"beside": "next to, in addition to, and",
    r"nobody|nobody's": "no one, no process, or rephrase",
    r"whom": "rephrase",
    r"whose it is": "who owns it",
    r"of (?:its|his|their|one's) own": "own, separate",
    r"goes with (?:it|them)": "is stopped too",
    r"ha(?:s|ve|d) to go": "is stopped",
    r"has not ended|have not ended": "is still alive, still runs",
    r"look(?:s|ed|ing)? at|a look": "examine, inspect, scan, check",
    r"gets? on|got on": "make progress",
    r"for ever": "indefinitely",
    r"by chance|left to chance": "at random",
    r"to bear|bears it": "tolerate",
    r"to mend|mends?|mended": "fix",
    r"heard": "received",
    r"what went because": "rephrase",
    r"the house": "the repository, the layout",
    r"relent\w*": "undo",
    r"had better|may as well": "rephrase",
    r"comes never|in vain": "can never, without effect",
}

FORBIDDEN = [(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), instead) for pattern, instead in WORDS.items()]


def forbidden(text):
    """Yields each forbidden word of `text` with what to write instead."""
    for pattern, instead in FORBIDDEN:
        for found in pattern.finditer(text):
            yield found.group(0), instead

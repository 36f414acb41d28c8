"""The targets, each judged by what was measured: rows of (target, measured, met or missed by how much)."""

OURS = "ddp-launch"
LAUNCH_RATIO = 1.3
FIRST_SIGNAL_MS = 1.0
GONE_MS = 10.0
RESTART_MS = 15.0
PSS_KIB = 12 * 1000 * 1000 / 1024  # 12 MB


def at_most(target, value, limit, unit):
    """One row for a figure that must not exceed a limit."""
    if value is None:
        return [target, "not measured", "missed: no figure"]
    met = "met" if value <= limit else f"missed by {value - limit:.2f} {unit} ({(value / limit - 1) * 100:.0f} %)"
    return [target, f"{value:.2f} {unit}", met]


def judge(data):
    rows = []
    for (worker, n), figures in data["launch"].items():
        ours, floor = figures[OURS].median, figures["bare loop"].median
        rows.append(at_most(f"launch and exit, {worker}, N={n}: ≤ {LAUNCH_RATIO}x the bare loop",
                            ours / floor if ours and floor else None, LAUNCH_RATIO, "x"))
    for how, (figures, _) in data["death"].items():
        mine = figures[OURS]
        rows.append(at_most(f"{how}: first signal ≤ {FIRST_SIGNAL_MS:.0f} ms", mine["first signal"].median,
                            FIRST_SIGNAL_MS, "ms"))
        for metric in ("survivors gone", "launcher gone"):
            rows.append(at_most(f"{how}: {metric} ≤ {GONE_MS:.0f} ms", mine[metric].median, GONE_MS, "ms"))
    for metric, figures in data["restart"][OURS].items():
        rows.append(at_most(f"{metric} ≤ {RESTART_MS:.0f} ms after the death", figures.median, RESTART_MS, "ms"))
    for n, (_, result) in data["idle"].items():
        mine = result[OURS]
        rows.append(at_most(f"0 wake-ups a second when idle, N={n}", mine and mine["wake-ups a second"], 0, "/s"
                            ) if mine is None or mine["wake-ups a second"] == 0 else
                    [f"0 wake-ups a second when idle, N={n}", f"{mine['wake-ups a second']:.2f} /s",
                     f"missed by {mine['wake-ups a second']:.2f} /s"])
    if 64 in data["idle"]:
        mine = data["idle"][64][1][OURS]
        rows.append(at_most("all launcher processes ≤ 12 MB PSS at N=64, idle", mine and mine["PSS KiB"], PSS_KIB, "KiB"))
    for n, (seconds, result) in data["forwarding"].items():
        rows.append(at_most(f"the same while forwarding for {seconds} s, N={n}", result.get(OURS), PSS_KIB, "KiB"))
    for way, (_, result) in data["tagged"].items():
        rows.append(fastest(way, result))
        faults = sum(result[OURS].worst.values())
        rows.append([f"no torn, lost, doubled or misordered line ({way})", f"{faults}", "met" if faults == 0 else "missed"])
    return rows


def fastest(way, result):
    target = f"tagged output at least as fast as any peer ({way})"
    rates = {name: output.rate.median for name, output in result.items() if output.rate.values}
    if OURS not in rates:
        return [target, "not measured", "missed: no figure"]
    others = {name: rate for name, rate in rates.items() if name != OURS}
    if not others:
        return [target, f"{rates[OURS]:.2f} M lines/s", "no peer to compare with"]
    best = max(others, key=others.get)
    met = "met" if rates[OURS] >= others[best] else f"missed by {(1 - rates[OURS] / others[best]) * 100:.0f} %"
    return [target, f"{rates[OURS]:.2f} M lines/s, {best} {others[best]:.2f}", met]

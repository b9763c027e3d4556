"""The page `docs/results-breach.md` and its figure, from the results of the breach benchmark and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from machine import told

OURS = "ours"
AIM = 0.85
"""Largest Brier score relative to the best simple rule where that rule leaves room."""
ROOM = ("airports", "emergency_2021", "emergency_q", "call_centre", "sim_drift")
CALIBRATED, OFF = 0.05, 10.0
NAMES = {
    OURS: "this package",
    "climatology": "climatology",
    "service_climatology": "climatology by service",
    "extrapolation": "extrapolation",
    "persistence": "last outcome",
    "iid_binomial": "independent events",
    "block_bootstrap": "past days",
    "recent_bootstrap": "recent days",
}
COUNTED = ("services", "statements", "wall_s", "shares_wall_s", "cpu_s", "memory_mib")
"""What the table of cost has of each case, in its order."""
BLUE, GREY = "#0072b2", "#555555"


def page(results: dict[str, Any], *, picture: str, cost: dict[str, Any] | None = None) -> str:
    """Return the Markdown page; `cost` is what `benchmarks/breach_cost.py` wrote, where it was run."""
    sets = results["sets"]
    main = {n: s for n, s in sets.items() if "(" not in n}
    below = [n for n, s in main.items() if s["high"] < 0]
    ahead = [n for n, s in main.items() if s["ratio"] < 1]
    room = [n for n in ROOM if n in main]
    reached = [n for n in room if main[n]["ratio"] <= AIM]
    ece = [n for n, s in main.items() if s["scores"][OURS]["ece"] <= CALIBRATED]
    close = [n for n, s in main.items() if furthest(s) <= OFF]
    rows = [
        ["15 % below the best rule where it leaves room", f"{len(reached)} of {len(room)}: {words(reached)}", "all"],
        ["not behind the best rule", f"{len(ahead)} of {len(main)}: {words(ahead)}", "all"],
        ["interval of the paired difference below 0", f"{len(below)} of {len(main)}: {words(below)}", "6 of 8"],
        ["calibration error ≤ .05", f"{len(ece)} of {len(main)}: {words(ece)}", "all"],
        ["within 10 points in each of 5 bins", f"{len(close)} of {len(main)}: {words(close)}", "all"],
    ]  # fmt: skip
    names = [OURS, *[n for n in NAMES if n != OURS]]
    return "\n".join([
        "# Results of the breach risk",
        "",
        "Written by `make bench-breach`; do not edit. P(objective missed) is asked of this package, through the "
        "function that it offers every harness, and of seven simple rules, inside and before past windows, each with "
        "what was known then. Scores are those of *open* statements: the events so far had not settled the outcome.",
        "",
        "## Headline",
        "",
        *table(["aim", "reached", "wanted"], rows),
        "",
        f"Command: `python benchmarks/breach.py --harness breach_bench.py --data DATA` · Date: {results['date']} · "
        f"intervals by 2,000 draws of services and windows. {told(results['machine'])}",
        "",
        "## Brier score beside the best simple rule",
        "",
        *table(
            ["set", "statements", "services × windows", "missed", "Brier", "best rule", "its Brier", "ratio",
             "difference, 95 %", "calibration error (by luck alone)", "furthest of 5 bins, points", "ms a statement"],
            [
                [n, f"{s['statements']:,}", f"{s['services']} × {s['windows']}", f"{100 * s['missed']:.0f} %",
                 f"{s['scores'][OURS]['brier']:.4f}", NAMES[s["best"]], f"{s['scores'][s['best']]['brier']:.4f}",
                 f"**{s['ratio']:.3f}**" if s["ratio"] <= AIM else f"{s['ratio']:.3f}",
                 f"{s['low']:+.4f} to {s['high']:+.4f}", f"{s['scores'][OURS]['ece']:.3f} ({s['ece_by_luck']:.3f})",
                 f"{furthest(s):.1f}", f"{s['ms_a_statement']:.1f}"] for n, s in sets.items()
            ],
        ),
        "",
        "*Calibration error* is the mean distance of stated and observed over ten bins of equal size; *by luck alone* "
        "is what exactly right probabilities would show on as many windows if services had nothing in common. The "
        "ratio is bold where it is at most .85.",
        "",
        "## Skill against climatology",
        "",
        *table(
            ["set", *[NAMES[n] for n in names]],
            [
                [n, *[f"{s['scores'][r]['skill']:.3f}" if r in s["scores"] else "–" for r in names]]
                for n, s in sets.items()
            ],
        ),
        "",
        *([] if cost is None else cost_section(cost)),
        "## Stated and observed",
        "",
        f"![Stated probabilities against observed frequencies, one panel a set]({picture})",
        "",
        "Five bins of equal size a set; bars are 90 % intervals of a bootstrap over services and windows.",
        "",
        *[line for n, s in sets.items() for line in reliability(n, s)],
    ])  # fmt: skip


def cost_section(cost: dict[str, Any]) -> list[str]:
    """Return what a fleet of each size took."""
    return [
        "## Cost",
        "",
        *table(
            ["services", "statements", "wall, s", "shares of bad, s", "CPU of the main process, s", "its peak, MiB"],
            [[f"{c[key]:,.0f}" for key in COUNTED] for c in cost["cases"]],
        ),
        "",
        f"Three objectives a service, {cost['windows']} windows, {cost['paths']:,} paths, {cost['jobs']} processes. "
        f"Command: `make bench-breach-cost` · Date: {cost['date']} · {told(cost['machine'])}",
        "",
    ]  # fmt: skip


def reliability(name: str, one: dict[str, Any]) -> list[str]:
    """Return the table of one set."""
    return [
        f"### {name}", "",
        *table(
            ["stated", "observed (90 %)", "statements"],
            [
                [
                    f"{100 * b['stated']:.1f} %",
                    f"{100 * b['observed']:.1f} % ({100 * b['low']:.0f} to {100 * b['high']:.0f})",
                    f"{b['count']:,}",
                ]
                for b in one["bins"]
            ],
        ),
        "",
    ]  # fmt: skip


def furthest(one: dict[str, Any]) -> float:
    """Return the largest distance of stated and observed, in points."""
    return max(100 * abs(float(b["stated"]) - float(b["observed"])) for b in one["bins"])


def counted(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def words(names: list[str]) -> str:
    """Return names in a sentence."""
    return ", ".join(names) or "none"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a Markdown table, text to the left and figures to the right."""
    return [
        "| " + " | ".join(head) + " |",
        "| --- | " + " | ".join("---:" for _ in head[1:]) + " |",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw stated probabilities against observed frequencies, one panel a set."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sets = {n: s for n, s in results["sets"].items() if "(" not in n}
    across = min(len(sets), 4)
    down = -(-len(sets) // across)
    figure, grid = plt.subplots(down, across, figsize=(2.9 * across + 0.4, 2.9 * down + 0.8), squeeze=False)
    for at, (name, one) in enumerate(sets.items()):
        axes = grid[at // across][at % across]
        stated = [100 * b["stated"] for b in one["bins"]]
        observed = [100 * b["observed"] for b in one["bins"]]
        top = min(100.0, 1.15 * max(*stated, *(100 * b["high"] for b in one["bins"]), 5.0))
        axes.plot([0, top], [0, top], color=GREY, linewidth=0.8, linestyle="--")
        reach = [
            [o - 100 * b["low"] for o, b in zip(observed, one["bins"], strict=True)],
            [100 * b["high"] - o for o, b in zip(observed, one["bins"], strict=True)],
        ]
        axes.errorbar(
            stated, observed, yerr=[[max(v, 0.0) for v in side] for side in reach], color=BLUE, marker="o",
            markersize=5, linewidth=1.6, elinewidth=1.0, capsize=2,
        )  # fmt: skip
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_aspect("equal")
        axes.set_title(
            f"{name}\n{counted(one['services'], 'service')} × {counted(one['windows'], 'window')}", fontsize=9
        )
        axes.tick_params(labelsize=8)
    for axes in grid.flat[len(sets) :]:
        axes.set_visible(False)
    figure.supxlabel("stated P(missed), %", fontsize=9)
    figure.supylabel("observed, %", fontsize=9)
    figure.text(
        0.995, 0.005, f"measured {results['date']}; bars: 90 %", ha="right", va="bottom", fontsize=7, color=GREY
    )
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)

"""The page `docs/results-airports.md`, from the results of `benchmarks/airports.py` and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

NAMES = {"product": "this package", "last_outcome": "last month's outcome", "iid_binomial": "independent events"}


def page(results: dict[str, Any]) -> str:
    """Return the Markdown page."""
    return "\n".join([*_head(results), *_demand(results["demand"]), *_breach(results["breach"]), *_cost(results), ""])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table with the first column to the left and the others to the right, and an empty line."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return [*(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)), ""]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _skill(found: dict[str, Any]) -> str:
    """Print a skill with its interval where there is one."""
    interval = f" ({found['skill_low']:.2f} to {found['skill_high']:.2f})" if "skill_low" in found else ""
    return f"{found['skill']:.2f}{interval}"


def _difference(found: dict[str, float]) -> str:
    """Print a difference of Brier scores with its interval."""
    return f"{found['difference']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


def _head(results: dict[str, Any]) -> list[str]:
    demand, breach, times = results["demand"], results["breach"], results["timings"]
    without = demand["beats_naive_sql_without"]
    month = min(without, key=lambda label: float(without[label]))
    best = min(("last_outcome", "iid_binomial"), key=lambda name: float(breach["all"][name]["brier"]))
    rows = [
        (
            "Services on which the chosen demand model beats seasonal naive",
            _percent(demand["beats_naive_sql"]),
            "≥ 80 %",
        ),
        (f"the same without {month}, the month on which it rests most", _percent(without[month]), ""),
        ("Brier skill of P(miss) over climatology, 95 % interval", _skill(breach["all"]["product"]), "> 0"),
        (f"Brier less that of the best other baseline, {NAMES[best]}", _difference(breach["against"][best]), "< 0"),
    ]
    if "plan" in times:
        plan, quick = times["plan"], ("import forecasting", "forecasting --help")
        rows += [
            ("`forecasting plan`, wall time", f"{plan['wall_s']:.0f} s (CPU {plan['cpu_s']:.0f} s)", "≤ 60 s"),
            ("`forecasting plan`, peak memory of all processes", f"{plan['all_processes_mib']} MiB", "≤ 1536 MiB"),
            *((f"`{name}`, wall time", f"{times[name]['wall_s']:.2f} s", "≤ 0.5 s") for name in quick),
        ]
    made = results["machine"]
    return [
        "# Results on the airports example",
        "",
        "Written by `make bench`; do not edit. Data: [examples/airports](../examples/airports/PROVENANCE.md), 26 "
        "services, 2013. Months 9 to 12 judge; the targets were set on months 1 to 8. Every figure is made by the "
        "product's own path with its default settings, with nothing known at a cut-off but what lies before it.",
        "",
        "## Headline",
        "",
        *_table(("", "measured", "aim"), rows),
        f"Command: `{results['command']}` · Date: {results['date']} · forecasting {made['forecasting']} · seed "
        f"{results['settings']['seed']}, {results['settings']['paths']} paths. Machine: {made['cores']} cores, "
        f"{made['memory_gib']:.0f} GiB, {made['system']}, Python {made['python']}; "
        + ", ".join(f"{name} {number}" for name, number in made["libraries"].items())
        + ".",
        "",
        "Read with care: the services share weather and air traffic control, months 9 to 11 were good nearly "
        "everywhere and December was bad nearly everywhere. Four months are four common outcomes, whatever the number "
        "of decisions; the intervals resample months too and are wide for that reason. And these months were looked at "
        "while the engine was made: how it treats holidays and how wide its intervals are was chosen among variants "
        "with these months in view, and the level model of P(miss) was compared on them. Take the figures as "
        "in-sample; other years and other data have the last word.",
        "",
    ]


def _demand(demand: dict[str, Any]) -> list[str]:
    both = (("chosen", "chosen model"), ("naive", "seasonal naive"))
    shown = ("sql", "mase", "cover80", "cover95", "sum80", "sum95", "bias_of_sum")

    def cells(found: dict[str, float]) -> list[str]:
        return [f"{found[s]:.3f}" if s in ("sql", "mase") else f"{100 * found[s]:.1f} %" for s in shown]

    columns = ("SQL", "MASE", "in 80 %", "in 95 %", "sum in 80 %", "sum in 95 %", "bias of sum")
    models = ", ".join(f"{name} {count}" for name, count in demand["chosen_models"].items())
    per_service = [
        (
            s["service"],
            f"{s['sql_chosen']:.3f}",
            f"{s['sql_naive']:.3f}",
            f"{s['sql_chosen'] / s['sql_naive']:.2f}",
            f"{s['mase_chosen']:.3f}",
            f"{s['mase_naive']:.3f}",
            "yes" if s["sql_chosen"] < s["sql_naive"] else "**no**",
            " · ".join(s["models"]),
        )
        for s in demand["services"]
    ]
    return [
        "## Demand: the next month's daily scheduled departures",
        "",
        "Cut-offs 2013-09-01, 10-01, 11-01 and 12-01, 26 services each. SQL is the mean over the quantiles 0.05 … 0.95 "
        "of 2 · pinball ÷ s, MASE the mean absolute error of the median ÷ s, with s the mean change from week to week "
        "before the cut-off. Seasonal naive forecasts from the same origin with its own conformal interval. *In "
        "80 %* is the share of days inside the 80 % interval, *sum in 80 %* the share of months whose sum is inside.",
        "",
        *_table(("all months", *columns), [(who, *cells(demand["all"][key])) for key, who in both]),
        f"The chosen model beats seasonal naive on {_percent(demand['beats_naive_sql'])} of the services by SQL and on "
        f"{_percent(demand['beats_naive_mase'])} by MASE; SQL ratio, geometric mean over services: "
        f"{demand['sql_ratio_geometric_mean']:.2f}. Chosen: {models}.",
        "",
        "How much one month decides: services won by SQL over the other three months, with the month named left out: "
        + ", ".join(f"{label} {_percent(share)}" for label, share in demand["beats_naive_sql_without"].items())
        + ".",
        "",
        *_table(
            ("by month", *columns, "services won"),
            [
                (f"{m['month']} {who}", *cells(m[key]), _percent(m["beats_naive_sql"]) if key == "chosen" else "")
                for m in demand["by_month"]
                for key, who in both
            ],
        ),
        *_table(
            ("service", "SQL", "SQL naive", "ratio", "MASE", "MASE naive", "beats naive", "models of the four months"),
            per_service,
        ),
    ]


def _breach(breach: dict[str, Any]) -> list[str]:
    names = list(NAMES)
    every = breach["all"]["product"]

    def rows(parts: list[dict[str, Any]], label: Any) -> list[tuple[str, ...]]:
        return [
            (
                label(p),
                str(p["product"]["decisions"]),
                _percent(p["product"]["missed"]),
                _percent(p["product"]["stated"]),
                f"{p['product']['brier']:.3f}",
                f"{p['product']['reference']:.3f}",
                *(_skill(p[n]) for n in names),
            )
            for p in parts
        ]

    columns = ("open", "missed", "stated", "Brier", "Brier of climatology", *(f"skill: {NAMES[n]}" for n in names))
    split = (
        ("elapsed share of the month", breach["by_elapsed"], lambda p: _percent(p["elapsed"])),
        ("month", breach["by_month"], lambda p: p["month"]),
        ("month and share", breach["by_month_and_elapsed"], lambda p: f"{p['month']} at {_percent(p['elapsed'])}"),
        ("indicator", breach["by_indicator"], lambda p: p["indicator"]),
        ("before the month, months ahead", breach["months_ahead"], lambda p: f"{p['ahead']}"),
    )
    tables = [line for what, parts, label in split for line in _table((what, *columns), rows(parts, label))]
    return [
        "## P(miss) of the 33 agreed objectives",
        "",
        f"Months 9 to 12, stated at 0, 25, 50 and 75 % of the month; {breach['decisions']} statements, of which "
        f"{every['decisions']} ({_percent(breach['open_share'])}) were open: the events seen had not settled the "
        "outcome. Only open ones are scored. Skill is 1 − Brier ÷ Brier of climatology; the 95 % interval is a paired "
        "block bootstrap over services and months, as is that of the differences. Baselines, each from the same past:",
        "",
        "- **climatology**: the service's past share of missed months, pulled to the fleet's;",
        "- **last month's outcome**: how often a miss (or a month met) was followed by a miss, over the fleet's past;",
        "- **independent events**: what is consumed exactly, each event to come bad at the rate of the last 28 days.",
        "",
        *_table(
            ("all open statements", "Brier", "skill over climatology", "Brier of this package less it"),
            [
                (
                    NAMES[n],
                    f"{breach['all'][n]['brier']:.3f}",
                    _skill(breach["all"][n]),
                    "" if n == "product" else _difference(breach["against"][n]),
                )
                for n in names
            ]
            + [("climatology", f"{every['reference']:.3f}", "0", _difference(breach["against"]["climatology"]))],
        ),
        *tables,
        "The last table is about months that had not begun, stated on the first day of a month; not in the headline.",
        "",
        "Reliability of this package's statements (five bins of equal size):",
        "",
        *_table(
            ("stated, mean", "missed", "statements"),
            [(_percent(p), _percent(y), str(n)) for p, y, n in every.get("bins", [])],
        ),
    ]


def _cost(results: dict[str, Any]) -> list[str]:
    times = results["timings"]
    commands = [(name, times[name]) for name in ("init", "ingest", "plan") if name in times]
    quick = [(name, times[name]) for name in ("python", "import forecasting", "forecasting --help") if name in times]
    rows = [
        (
            f"`forecasting {name}`",
            f"{t['wall_s']:.1f}",
            f"{t['cpu_s']:.1f}",
            str(t["largest_process_mib"]),
            str(t["all_processes_mib"]),
        )
        for name, t in commands
    ]
    rows += [(f"`{name}` (median of 5)", f"{t['wall_s']:.2f}", "", "", "") for name, t in quick]
    whole = f"The whole benchmark took {times['benchmark_s']} s. " if "benchmark_s" in times else ""
    return [
        "## Time and memory",
        "",
        *_table(("", "wall s", "CPU s", "largest process MiB", "all processes MiB"), rows),
        f"{whole}Times depend on the machine and on what else runs on it; everything above does not. The memory of all "
        "processes is sampled ten times a second and counts shared pages in each, so it is an upper bound.",
    ]

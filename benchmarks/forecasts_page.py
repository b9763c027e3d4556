"""The page `docs/results-forecasts.md` and its figure, from the results of the forecast benchmarks and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from machine import told

OURS, REFERENCE = "ours", "seasonal_naive"
NAMES = {
    OURS: "this package",
    REFERENCE: "seasonal naive",
    "floor_swa": "phase-wise average",
    "csp": "ConformalSeasonalPool",
    "flair": "flaircast",
    "lgbm_direct_q": "LightGBM direct quantiles",
    "mfles": "MFLES",
    "mstl_ets": "MSTL + ETS",
    "theta": "Theta",
    "auto_theta": "AutoTheta",
    "auto_ets": "AutoETS",
    "ces": "AutoCES",
    "prophet": "Prophet",
    "median_swa_lgbm_mfles": "median of average, LightGBM, MFLES",
    "median_lgbm_flair_swa_mfles": "median of LightGBM, flaircast, average, MFLES",
    "median_ets_theta_ces": "median of AutoETS, Theta, AutoCES",
}
GATE, GOAL = 0.58, 0.533
"""Aims for the equal-weight gm SQL."""
COST_AIM = 10.0
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#555555"
"""Okabe & Ito (2008): told apart with every common colour blindness; line styles say the same."""
SHOWN = ((OURS, BLUE, "-", "o"), ("lgbm_direct_q", ORANGE, "--", "s"), ("flair", GREEN, ":", "^"))


def page(results: dict[str, Any], *, cost: dict[str, Any], m4: dict[str, Any], picture: str) -> str:
    """Return the Markdown page."""
    return "\n".join([
        *head(results, cost),
        *league(results),
        *(line for name, family in results["families"].items() for line in family_table(name, family)),
        *calibration(results, picture),
        *cost_table(cost),
        *m4_table(m4),
    ])  # fmt: skip


# ---------------------------------------------------------------- small texts
def label(name: str) -> str:
    """Return a forecaster's name for people."""
    return NAMES.get(name, name)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table with the first column to the left and the others to the right, and an empty line."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return [*(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)), ""]


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _with_interval(found: Mapping[str, float], key: str = "value") -> str:
    """Print a figure with its 95 % interval."""
    return f"{_number(found[key])} ({_number(found['low'])} to {_number(found['high'])})"


def _cost(value: float | None) -> str:
    """Print CPU ms a forecast."""
    return "–" if value is None else f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _partial(row: Mapping[str, Any]) -> bool:
    return bool(row["series"] < row["series_total"])


def _order(rows: Mapping[str, Any]) -> list[str]:
    """Return the forecasters, the lowest gm SQL first."""
    return sorted(rows, key=lambda name: (rows[name]["gm_SQL"]["value"] is None, rows[name]["gm_SQL"]["value"]))


def best_of(rows: Mapping[str, Any], score: str) -> str:
    """Return the forecaster with the lowest score among those that forecast every series they were given."""
    whole = [n for n, r in rows.items() if not _partial(r) and r[score]["value"] is not None]
    return min(whole, key=lambda n: float(rows[n][score]["value"]), default="")


def ours_is_first(rows: Mapping[str, Any], score: str, *, ensembles: bool, surely: bool = False) -> bool:
    """Whether ours is below every other: on all series, and on the common ones where another forecast only a part.

    Surely: the paired 95 % interval of ours ÷ other is below 1 for every other.
    """
    if OURS not in rows or _partial(rows[OURS]):
        return False
    key, bound = score.removeprefix("gm_"), "high" if surely else "ratio"
    others = (r for n, r in rows.items() if n != OURS and (ensembles or not r.get("members")))
    found = (r["ours_vs_it"][key][bound] for r in others)
    return all(value is not None and value < 1.0 for value in found)


# ---------------------------------------------------------------- sections
def head(results: dict[str, Any], cost: dict[str, Any]) -> list[str]:
    """Title, headline and where the figures come from."""
    families, weighed = results["families"], results["equal_weight"]
    rows: list[tuple[str, str, str]] = []
    if OURS in weighed:
        ours = weighed[OURS]
        single = {n: r for n, r in weighed.items() if not n.startswith("median_") and n != OURS and not r["partial"]}
        rows += [
            ("gm SQL, equal weight of the families (95 %)", _with_interval(ours["gm_SQL"]), f"≤ {GATE}; goal ≤ {GOAL}"),
            ("gm MASE, equal weight of the families (95 %)", _with_interval(ours["gm_MASE"]), ""),
        ]
        if single:
            rival = min(single, key=lambda n: float(single[n]["gm_SQL"]["value"]))
            rival_value = float(single[rival]["gm_SQL"]["value"])
            change = ours["gm_SQL"]["value"] / rival_value - 1
            rows.append((f"against the best single peer on all series ({label(rival)}, {rival_value:.3f})",
                         f"{100 * change:+.0f} %", "≤ −15 %"))  # fmt: skip
        for score in ("gm_SQL", "gm_MASE"):
            wins, sure, over_all = (
                sum(ours_is_first(f["forecasters"], score, ensembles=e, surely=s) for f in families.values())
                for e, s in ((False, False), (False, True), (True, False))
            )
            says = f"{wins} of {len(families)} (interval below 1 against each: {sure}); ensembles too: {over_all}"
            rows.append((f"families on which it is first by {score.replace('_', ' ')} among single peers", says, "all"))
        rows += [
            (f"outcomes in the {p} % interval, equal weight of the families (of the series)",
             f"{_points(ours[f'cov{p}'])} ({_points(ours[f'cov{p}_by_series'])})", f"{p} ± 2 %")
            for p in (80, 95)
        ]  # fmt: skip
        worse = f"{_points(ours['worse_than_naive_by_series'])} ({_points(ours['worse_than_naive'])} by equal weight)"
        rows += [
            ("series worse than seasonal naive by SQL", worse, "≤ 3 %"),
            ("quantiles that are not finite; below zero", f"{ours['non_finite']}; {ours['below_zero']}", "0; 0"),
            ("CPU ms a forecast, mean of the families", _cost(ours["cpu_ms"]), f"≤ {COST_AIM:.0f}"),
        ]
    peers = ", ".join(f"{name} {number}" for name, number in results["peers"].items() if name != "python")
    limited = results["max_series"]
    return [
        "# Results of the forecast engine",
        "",
        "Written by `make bench`; do not edit. Each family is forecast at rolling origins by the harness of the "
        "benchmark, the project through the same function that it offers every harness, all in processes of their own "
        "with one thread.",
        "",
        *([f"**Not a full run: the first {limited} series of each family only.**", ""] if limited else []),
        "## Headline",
        "",
        *_table(("", "measured", "aim"), rows),
        f"Command: `{results['command']}` · Date: {results['date']} · bootstrap of {results['draws']} draws over "
        f"series, seed {results['seed']}. {told(results['machine'])}"
        + (f" Peers: Python {results['peers']['python']}, {peers}." if peers else ""),
        "",
        "How to read it: *gm SQL* is the geometric mean over series of the scaled quantile loss (levels 0.1 to 0.9) "
        "relative to that of seasonal naive with Gaussian intervals, each ratio clipped to 0.01 to 100; *gm MASE* the "
        "same of the absolute error of the median; lower is better. *Equal weight* is the arithmetic mean over the "
        "families. Intervals are 95 %, by a bootstrap over series: they do not know that series of a family have "
        "shocks in common. A forecaster that ran out of its CPU budget is marked with *n of N* series and is compared "
        "with this package on the series that both forecast.",
        "",
    ]


def league(results: dict[str, Any]) -> list[str]:
    """The league tables: a row a family, a column a forecaster."""
    families, weighed = results["families"], results["equal_weight"]
    names = _order(weighed)
    names += [n for f in families.values() for n in f["forecasters"] if n not in names]
    names = list(dict.fromkeys(names))
    partial = False
    lines = ["## League tables", ""]
    for score in ("gm_SQL", "gm_MASE"):
        rows = []
        for family, found in families.items():
            own, cells = found["forecasters"], []
            best = best_of(own, score)
            for name in names:
                if name not in own:
                    cells.append("–")
                    continue
                text = _number(own[name][score]["value"])
                partial |= _partial(own[name])
                cells.append(f"**{text}**" if name == best else f"{text} *" if _partial(own[name]) else text)
            rows.append((f"{family} ({found['series']})", *cells))
        whole = {n: r for n, r in weighed.items() if not r["partial"] and r[score]["value"] is not None}
        best = min(whole, key=lambda n: float(whole[n][score]["value"]), default="")
        means = []
        for name in names:
            text = _number(weighed[name][score]["value"]) if name in weighed else "–"
            star = " *" if name in weighed and weighed[name]["partial"] else ""
            means.append(f"**{text}**" if name == best else text + star)
        rows.append(("equal weight", *means))
        costs = [_cost(weighed[n]["cpu_ms"]) if n in weighed else "–" for n in names]
        rows.append(("CPU ms a forecast, mean", *costs))
        title = f"{score.replace('_', ' ')}; family (series)"
        lines += _table((title, *(label(n) for n in names)), rows)
    if partial:
        lines += ["\\* on a part of the series only (see the family's table); not compared in bold.", ""]
    return lines


def family_table(name: str, family: dict[str, Any]) -> list[str]:
    """The league table of a family with everything measured."""
    own = family["forecasters"]
    best = {score: best_of(own, score) for score in ("gm_SQL", "gm_MASE")}
    rows = []
    for who in _order(own):
        r = own[who]
        scores = []
        for score in ("gm_SQL", "gm_MASE"):
            text = _with_interval(r[score])
            scores.append(f"**{text}**" if best[score] == who else text)
        against = [_with_interval(r["ours_vs_it"][s], "ratio") if "ours_vs_it" in r else "" for s in ("SQL", "MASE")]
        rows.append(
            (
                label(who) + (" (failed)" if r["failed"] else ""),
                f"{r['series']} of {r['series_total']}" if _partial(r) else str(r["series"]),
                *scores,
                *against,
                _points(r["cov80"]),
                _points(r["cov95"]),
                _number(r["MSIS"], 2),
                _cost(r["cpu_ms"]),
                _points(r["worse_than_naive"]),
                str(r.get("non_finite", "–")),
                str(r.get("below_zero", "–")),
            )
        )
    return [
        f"### {name}",
        "",
        f"{family['series']} series, {family['windows']} origin{'s' if family['windows'] > 1 else ''}, "
        f"{family['h']} slices of {family['freq']} ahead, seasons {family['seasons']}.",
        "",
        *_table(
            (
                "forecaster", "series", "gm SQL (95 %)", "gm MASE (95 %)", "SQL, ours ÷ it", "MASE, ours ÷ it",
                "in 80 %", "in 95 %", "MSIS 95 %", "CPU ms", "worse than naive", "not finite", "below zero",
            ),
            rows,
        ),
    ]  # fmt: skip


def calibration(results: dict[str, Any], picture: str) -> list[str]:
    """The figure and its figures."""
    if not any(OURS in f["forecasters"] for f in results["families"].values()):
        return []
    rows = []
    levels: list[str] = []
    for name, family in results["families"].items():
        below = family["forecasters"].get(OURS, {}).get("share_below")
        if below:
            levels = list(below)
            rows.append((name, *(_points(v) for v in below.values())))
    return [
        "## Calibration",
        "",
        f"![Share of outcomes below each forecast quantile less its level, by family]({picture})",
        "",
        "Share of outcomes below each quantile of this package; as it should be, it is the level. Outcomes equal to "
        "several quantiles, such as the zeros of counts, count in part (non-randomised PIT; Czado, Gneiting and Held "
        "2009). The share inside the 80 and 95 % interval, in the tables above, counts them as inside.",
        "",
        *_table(("family", *(f"{100 * float(q):g} %" for q in levels)), rows),
    ]


def cost_table(cost: dict[str, Any]) -> list[str]:
    """What forecasting costs by number of series and length."""
    if not cost:
        return []
    rows = [
        (
            f"{c['series']:,} × {c['length']:,}",
            c["models"],
            _number(c["cpu_ms_a_series"], 2),
            "–" if c.get("times_naive") is None else f"{c['times_naive']:.1f} ×",
            f"{c['cpu_s']:,.1f}",
            f"{c['wall_s']:,.1f}",
            f"{c['peak_mib_first']:,.0f} → {c['peak_mib']:,.0f}",
            str(c["not_finite"]),
            str(c["out_of_bounds"]),
            str(c["declined"]),
        )
        for c in cost["cases"]
    ]
    return [
        "## Cost",
        "",
        f"Made hourly series of {cost['shapes']} shapes, {cost['horizon']} slices ahead, {cost['paths']} paths, "
        f"through `forecast_batch` with the default settings, {cost['partition']} series at a time in one "
        "process with one thread: a partition is made, forecast and dropped. *quantiles* is the default path "
        "without drawing paths; with more than one partition it learns from the first (in its cost) and forecasts all "
        "with that. CPU and wall time are those of "
        "forecasting; peak memory is that of the process after the first and after the last partition.",
        "",
        *_table(
            (
                "series × length", "models", "CPU ms a series", "× seasonal naive", "CPU s", "wall s", "peak MiB",
                "not finite", "out of bounds", "declined",
            ),
            rows,
        ),
        *cost["fits"],
        "",
        f"Command: `{cost['command']}` · Date: {cost['date']}. {told(cost['machine'])}",
        "",
    ]  # fmt: skip


def m4_table(m4: dict[str, Any]) -> list[str]:
    """The M4 scores beside the published ones."""
    if not m4:
        return []
    lines = ["## M4", ""]
    for part in m4["parts"]:
        rows = [
            (r["method"], _number(r["sMAPE"]), _number(r["MASE"]), _number(r["OWA"]), _number(r["MSIS"]),
             _points(r.get("coverage")))
            for r in part["rows"]
        ]  # fmt: skip
        lines += [
            f"### {part['frequency']}",
            "",
            part["note"],
            "",
            *_table(("", "sMAPE", "MASE", "OWA", "MSIS", "in 95 %"), rows),
        ]
    return [*lines, f"Command: `{m4['command']}` · Date: {m4['date']}. {told(m4['machine'])}", ""]


# ---------------------------------------------------------------- the figure
def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the calibration by family: observed share below each quantile less its level, in points."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    families = results["families"]
    across = min(len(families), 4)
    down = -(-len(families) // across)
    figure, grid = plt.subplots(
        down, across, figsize=(3.1 * across + 0.4, 2.7 * down + 0.9), sharex=True, sharey=True, squeeze=False
    )
    reach, lines = 6.0, {}
    for at, (name, family) in enumerate(families.items()):
        axes = grid[at // across][at % across]
        axes.axhspan(-2, 2, color=GREY, alpha=0.15, linewidth=0)
        axes.axhline(0, color=GREY, linewidth=0.8)
        for who, colour, style, marker in SHOWN:
            below = family["forecasters"].get(who, {}).get("share_below")
            if not below or any(v is None for v in below.values()):
                continue
            levels = [float(q) for q in below]
            gaps = [100 * (v - q) for q, v in zip(levels, below.values(), strict=True)]
            reach = max(reach, *(abs(g) for g in gaps))
            drawn = axes.plot(
                [100 * q for q in levels], gaps, style, color=colour, marker=marker, markersize=3.5,
                linewidth=2.0 if who == OURS else 1.2, zorder=3 if who == OURS else 2,
            )  # fmt: skip
            lines[label(who)] = drawn[0]
        axes.set_title(f"{name} ({family['series']} series)", fontsize=9)
        axes.tick_params(labelsize=8)
    for axes in grid.flat[len(families) :]:
        axes.set_visible(False)
    reach = min(reach, 25.0) * 1.08
    for axes in grid.flat:
        axes.set_ylim(-reach, reach)
        axes.set_xticks([0, 25, 50, 75, 100])
    for column in range(across):
        lowest = max(row for row in range(down) if row * across + column < len(families))
        grid[lowest][column].tick_params(labelbottom=True)
    figure.supxlabel("level of the forecast quantile, %", fontsize=9)
    figure.supylabel("outcomes below it, less the level, points", fontsize=9)
    when = f"measured {results['date']}; grey: ±2 points"
    if results["max_series"]:
        when += f"; first {results['max_series']} series of each family only"
    figure.suptitle(f"Calibration of the quantiles by family ({when})", fontsize=10)
    if lines:
        figure.legend(list(lines.values()), list(lines), loc="lower right", fontsize=8, frameon=False, ncols=len(lines))
    figure.tight_layout(rect=(0.0, 0.03 if len(families) < 8 else 0.0, 1.0, 1.0))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)

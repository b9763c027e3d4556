"""The drawing of a track record: what was stated against what happened, and how that depends on the horizon."""

from __future__ import annotations

import io
import math
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from forecasting.reports import svg
from forecasting.reports.base import Cell, Column, Figure, Table, table
from forecasting.reports.formatting import clean, instant, monte_carlo, number, percent, plural, probability
from forecasting.terms.breach import ReliabilityBin, RiskScore, StratumScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TOLERANCE = 0.1
"""Half width of the band around the diagonal in which statements count as reliable, a share."""
MOST_HORIZONS = 12
_ZOOM = 60.0
"""Below this highest probability (in %) the empty part of the diagram is cut off."""
_LONGEST_NAME = 20
_OURS = "forecasting"
_REFERENCE = "climatology"


def reliability_diagram(key: str, score: RiskScore, as_of: datetime) -> Figure:
    """Draw what happened against what was stated and, where horizons were scored, the Brier score of each.

    Parameters
    ----------
    key : str
        Unique name of the figure: letters, digits, hyphens.
    score : RiskScore
    as_of : datetime
        Data cut-off, printed in the drawing.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2027, 3, 1, tzinfo=UTC)
    >>> score = RiskScore(decisions=20, breaches=5, brier=0.1, brier_climatology=0.2, skill=0.5, skill_low=0.2,
    ...                   skill_high=0.7, bins=(ReliabilityBin(predicted=0.2, observed=0.25, count=20),), first=day,
    ...                   last=day, protocol="an example")
    >>> reliability_diagram("reliability", score, day).alt
    'Reliability diagram of 20 statements: stated 20 %, missed 25 %.'
    """
    cut = instant(as_of).text
    drawn = _draw(score, f"data until {cut}")
    alt = f"Reliability diagram of {plural(score.decisions, 'statement')}: " + "; ".join(
        f"stated {percent(b.predicted)}, missed {percent(b.observed)}" for b in score.bins
    )
    found, horizons = [_bins_table(score)], _horizons(score)
    caption = "Reliability: what was stated against what happened, in groups of like probability"
    if horizons:
        found.append(_horizon_table(score, horizons))
        caption += "; beside it the Brier score by how much of the window had passed"
        alt += ". Brier score by horizon: " + "; ".join(
            f"{h.part} {number(_brier(h, _OURS), digits=3).text}" for h in horizons
        )
    caption += f". Data until {cut}."
    return Figure(name=key, svg=svg.finish(drawn, key, f"{alt}."), alt=f"{alt}.", caption=caption, data=tuple(found))


def reliability_file(score: RiskScore, form: Literal["png", "svg"], *, note: str = "") -> bytes:
    """Return the same drawing as a file of its own, on white; the same score gives the same bytes.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2027, 3, 1, tzinfo=UTC)
    >>> score = RiskScore(decisions=20, breaches=5, brier=0.1, brier_climatology=0.2, skill=0.5, skill_low=0.2,
    ...                   skill_high=0.7, bins=(ReliabilityBin(predicted=0.2, observed=0.25, count=20),), first=day,
    ...                   last=day, protocol="an example")
    >>> reliability_file(score, "png")[1:4]
    b'PNG'
    """
    import matplotlib

    drawn, buffer = _draw(score, note), io.BytesIO()
    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "reliability", "svg.fonttype": "path", "text.parse_math": False}):
        drawn.savefig(buffer, format=form, dpi=200, facecolor="white", metadata=metadata)
    return buffer.getvalue()


def _draw(score: RiskScore, note: str) -> Canvas:
    """Draw the reliability diagram, and beside it the horizons where there are several."""
    figure, axes = svg.canvas(height=3.5)
    horizons = _horizons(score)
    axes.set_position((0.075, 0.145, 0.5 if horizons else 0.62, 0.70))
    _reliability(axes, score)
    if horizons:
        _by_horizon(figure, score, horizons)
    if note:
        figure.text(0.985, 0.012, note, ha="right", va="bottom", fontsize=6, color=svg.INK, alpha=0.7)
    return figure


def _reliability(axes: Axes, score: RiskScore) -> None:
    """Draw bins with intervals around the diagonal."""
    bands = [_band(b) for b in score.bins]
    highest = 100 * max(
        (x for b, c in zip(score.bins, bands, strict=True) for x in (b.predicted, c.high or 0.0)), default=1
    )
    end = 100.0 if highest > _ZOOM else max(10.0, 10.0 * math.ceil(highest / 10))
    edge = 100 * TOLERANCE
    corners = [0.0, edge, 100 - edge, 100.0]
    lows, highs = [max(x - edge, 0.0) for x in corners], [min(x + edge, 100.0) for x in corners]
    axes.fill_between(corners, lows, highs, color=svg.GREEN, alpha=0.12, linewidth=0, label=f"within {edge:.0f} points",
                      zorder=0)  # fmt: skip
    axes.plot([0, 100], [0, 100], color=svg.INK, linewidth=0.8, linestyle=(0, (4, 2)), alpha=0.7, label="perfect")
    if score.decisions:
        rate = 100 * score.breaches / score.decisions
        axes.axhline(rate, color=svg.INK, linewidth=0.6, linestyle=(0, (1, 2)), alpha=0.6)
        left = sum(200 * b.predicted < end for b in score.bins) * 2 <= len(score.bins)  # the emptier side has the words
        axes.annotate(f"missed in all: {rate:.{0 if rate >= 10 else 1}f} %", ((0.01 if left else 0.99) * end, rate),
                      xytext=(0, 2), fontsize=6, textcoords="offset points", ha="left" if left else "right",
                      color=svg.INK, alpha=0.8)  # fmt: skip
    xs, ys = [100 * b.predicted for b in score.bins], [100 * b.observed for b in score.bins]
    axes.vlines(xs, [100 * (c.low or 0.0) for c in bands], [100 * (c.high or 0.0) for c in bands], color=svg.SKY,
                linewidth=2, alpha=0.85, label="90 % interval", zorder=1)  # fmt: skip
    axes.plot(xs, ys, color=svg.BLUE, linewidth=0.8, alpha=0.55, zorder=2)
    axes.plot(xs, ys, "o", color=svg.BLUE, markersize=4.6, markeredgewidth=0, label="happened", zorder=3)
    axes.set_xlim(-0.01 * end, 1.01 * end)
    axes.set_ylim(-0.01 * end, 1.01 * end)
    ticks = range(0, round(end) + 1, 20 if end > 60 else 10 if end > 20 else 5)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    svg.label(axes, y="windows missed, %", x="stated P(miss), %")
    svg.legend(axes, 4)


def _by_horizon(figure: Canvas, score: RiskScore, horizons: list[StratumScore]) -> None:
    """Draw the Brier score of ours, the best baseline and climatology at each horizon."""
    axes = figure.add_axes((0.70, 0.145, 0.285, 0.70))
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(svg.INK)
    axes.spines["bottom"].set_linewidth(0.6)
    axes.spines["bottom"].set_alpha(0.6)
    axes.tick_params(colors=svg.INK, labelsize=7, width=0.5, length=2.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x", color=svg.INK, alpha=0.12, linewidth=0.5)
    axes.set_axisbelow(True)
    places = list(range(len(horizons)))
    best = score.best_baseline
    drawn = [(_REFERENCE, svg.INK, "|", 6.5, "climatology")]
    if best and best != _REFERENCE:
        # A long name would not fit beside the others; the tables have it.
        drawn.append((best, svg.ORANGE, "D", 3.8, clean(best) if len(best) <= _LONGEST_NAME else "best rule"))
    drawn.append((_OURS, svg.BLUE, "o", 5.0, "forecasting"))
    spans = [[v for n, *_ in drawn if (v := _brier(h, n)) is not None] for h in horizons]
    axes.hlines(places, [min(s, default=0.0) for s in spans], [max(s, default=0.0) for s in spans], color=svg.INK,
                linewidth=0.5, alpha=0.25)  # fmt: skip
    for name, colour, mark, size, words in drawn:
        values = [_brier(h, name) for h in horizons]
        axes.plot([float("nan") if v is None else v for v in values], places, mark, color=colour, markersize=size,
                  markeredgewidth=1.4 if mark == "|" else 0, label=words, linestyle="none")  # fmt: skip
    axes.set_yticks(places, [h.part for h in horizons])
    axes.set_ylim(len(horizons) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.margins(x=0.08)
    axes.set_title("elapsed, or windows ahead", loc="left", pad=16, fontsize=7.5, color=svg.INK, x=-0.22)
    axes.set_xlabel("Brier score, lower is better", fontsize=7.5, color=svg.INK)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.25, 0.985), ncols=3, frameon=False, fontsize=6.2,
                labelcolor=svg.INK, handlelength=0.8, columnspacing=0.7, handletextpad=0.3, borderpad=0.1)  # fmt: skip


def _horizons(score: RiskScore) -> list[StratumScore]:
    """Return the scored horizons, where there are at least two."""
    found = [s for s in score.strata if s.by == "horizon"][:MOST_HORIZONS]
    return found if len(found) > 1 else []


def _brier(stratum: StratumScore, model: str) -> float | None:
    """Return the Brier score of a model on a part."""
    return next((m.brier for m in stratum.models if m.name == model), None)


def _band(b: ReliabilityBin) -> Cell:
    """Print what happened in a bin with its 90 % interval; without a bootstrap that of independent statements."""
    if b.low is None or b.high is None:
        return monte_carlo(b.observed, b.count)
    return probability(b.observed, min(b.low, b.observed), max(b.high, b.observed))


def _bins_table(score: RiskScore) -> Table:
    columns = [
        Column(name="Stated, mean", align="right"),
        Column(name="Missed, with 90 % interval", align="right"),
        Column(name="Statements", align="right"),
    ]
    rows = [(probability(b.predicted), _band(b), number(b.count)) for b in score.bins]
    return table("Bins of the reliability diagram", columns, rows)


def _horizon_table(score: RiskScore, horizons: list[StratumScore]) -> Table:
    best = score.best_baseline
    names = [_OURS, *([best] if best and best != _REFERENCE else []), _REFERENCE]
    columns = [
        Column(name="Elapsed, or windows ahead"),
        Column(name="Statements", align="right"),
        Column(name="Missed", align="right"),
        *(Column(name=f"Brier, {'ours' if n == _OURS else clean(n, 40)}", align="right") for n in names),
    ]
    rows = [
        (Cell(text=h.part, value=h.part), number(h.statements), number(h.breaches),
         *(number(_brier(h, n), digits=3, because="it was not scored") for n in names))
        for h in horizons
    ]  # fmt: skip
    return table("Brier score by horizon", columns, rows, sortable=False)

"""The drawings of a league table: scores with intervals, calibration by level, coverage along the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from forecasting.reports import svg
from forecasting.reports.base import Cell, Column, Figure, table
from forecasting.reports.formatting import clean, number, plural
from forecasting.terms.league import CoverageCell, League, LeagueRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ENTRIES = 12
"""Entries drawn; the table beside a figure has all."""
_COLOURS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.VERMILLION, svg.PURPLE, svg.SKY)
_MARKS = ("o", "s", "^", "D", "v", "P")
_DRAWN_LEVELS = (0.8, 0.95)
_IN_ONE_LINE = 4
"""Names that fit above a drawing."""


def league_bars(key: str, league: League) -> Figure:
    """Draw the relative quantile loss of every entry with its 95 % interval, best first; the reference is at 1.

    Parameters
    ----------
    key : str
        Unique name of the figure: letters, digits, hyphens.
    league : League
        Rows without a relative loss are in the table only.

    Examples
    --------
    >>> from forecasting.forecasts.league import Outcomes, naive_entry, score_league
    >>> import numpy as np
    >>> naive, scales = naive_entry([[np.tile([1.0, 5.0, 3.0], 5)]], [3], 3, 1)
    >>> o = Outcomes(series=(("a", "m"),), strata=("",), actual=np.array([[[1.0, 4.0, 3.5]]]), scales=scales + 1)
    >>> league_bars("league", score_league(o, naive, (), seed=1)).svg[:4]
    '<svg'
    """
    drawn = [row for row in league.rows if row.gm_sql == row.gm_sql][:MOST_ENTRIES]
    figure, axes = svg.canvas(height=0.8 + 0.28 * max(len(drawn), 1))
    places = range(len(drawn))
    for place, row in zip(places, drawn, strict=True):
        own = svg.INK if row.entry == league.reference else svg.BLUE
        axes.barh(place, row.gm_sql, height=0.6, color=own, alpha=0.35, linewidth=0)
        axes.plot([row.gm_sql_low, row.gm_sql_high], [place, place], color=own, linewidth=1.6, solid_capstyle="butt")
        right = max(row.gm_sql, row.gm_sql_high)
        axes.text(right, place, f"  {row.gm_sql:.3f}", fontsize=6.5, color=svg.INK, va="center")
    axes.set_yticks(list(places), [clean(row.entry, 26) for row in drawn], parse_math=False)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.grid(True, axis="x", color=svg.INK, alpha=0.12, linewidth=0.5)
    axes.margins(x=0.1)
    axes.set_position((0.24, 0.2, 0.73, 0.62))
    svg.label(axes, y="quantile loss ÷ the reference's, geometric mean over series; line: 95 % interval")
    columns = [Column(name="Entry"), Column(name="Relative quantile loss", align="right"),
               Column(name="95 % interval", align="right"), Column(name="Relative MASE", align="right"),
               Column(name="Within 80 %", align="right"), Column(name="Fallbacks", align="right")]  # fmt: skip
    rows = [
        (Cell(text=clean(row.entry, 60)), _score(row.gm_sql), _ends(row.gm_sql_low, row.gm_sql_high),
         _score(row.gm_mase), _share(row.coverage_at(0.8)), _share(row.fallback_rate))
        for row in league.rows
    ]  # fmt: skip
    best = drawn[0] if drawn else None
    said = f"{clean(best.entry, 40)} is first with {best.gm_sql:.3f}" if best else "no entry could be scored"
    alt = f"Relative quantile loss of {plural(len(league.rows), 'entry', 'entries')}: {said}."
    caption = (
        f"Quantile loss relative to {clean(league.reference, 40)} on {plural(len(league.series), 'series', 'series')}, "
        f"{league.horizon} slices ahead from {league.origins} origins; lower is better."
    )
    data = (table("League", columns, rows, sortable=False),)
    return Figure(name=key, svg=svg.finish(figure, key, alt), alt=alt, caption=caption, data=data)


def calibration_lines(key: str, league: League) -> Figure:
    """Draw, for every entry, how often outcomes were at or below each quantile against the level it promised."""
    drawn = league.rows[: len(_COLOURS)]
    figure, axes = svg.canvas(height=3.2)
    axes.plot([0, 1], [0, 1], color=svg.INK, linewidth=0.7, linestyle=(0, (2, 2)), alpha=0.7, label="as promised")
    for row, colour, mark in zip(drawn, _COLOURS, _MARKS, strict=False):
        _line(axes, [at for at, _ in row.calibration], [below for _, below in row.calibration], colour, mark, row.entry)
    svg.label(axes, y="share of outcomes at or below the quantile", x="level of the quantile")
    axes.legend(loc="lower right", frameon=False, fontsize=6.8, labelcolor=svg.INK)
    axes.set_position((0.09, 0.16, 0.89, 0.72))
    levels = [level for level, _ in league.rows[0].calibration] if league.rows else []
    columns = [Column(name="Level", align="right"), *(Column(name=clean(r.entry, 40), align="right") for r in drawn)]
    rows = [(_share(level), *(_share(dict(row.calibration)[level]) for row in drawn)) for level in levels]
    errors = ", ".join(f"{clean(row.entry, 40)} {100 * row.calibration_error:.1f}" for row in drawn)
    alt = f"Calibration by level; mean distance from the diagonal in points: {errors}."
    caption = "How often outcomes were at or below each quantile; on the diagonal a forecast keeps what it says."
    data = (table("Calibration", columns, rows, sortable=False),)
    return Figure(name=key, svg=svg.finish(figure, key, alt), alt=alt, caption=caption, data=data)


def coverage_steps(key: str, league: League) -> Figure:
    """Draw how often outcomes fell inside the 80 and 95 % intervals, by how far ahead they lie."""
    drawn = league.rows[:_IN_ONE_LINE]
    figure, axes = svg.canvas(height=3.0)
    rows: list[tuple[Cell, ...]] = []
    for row, colour, mark in zip(drawn, _COLOURS, _MARKS, strict=False):
        for level in _DRAWN_LEVELS:
            cells = _buckets(row, level)
            middles = [(cell.first_step + cell.last_step) / 2 for cell in cells]
            words = row.entry if level == _DRAWN_LEVELS[0] else f"_{row.entry}"
            _line(axes, middles, [cell.share for cell in cells], colour, mark, words)
            rows += [
                (Cell(text=clean(row.entry, 60)), _share(level),
                 Cell(text=f"{cell.first_step}–{cell.last_step}", value=cell.first_step),
                 _share(cell.share), number(float(cell.outcomes)))
                for cell in cells
            ]  # fmt: skip
    for level in _DRAWN_LEVELS:
        axes.axhline(level, color=svg.INK, linewidth=0.7, linestyle=(0, (2, 2)), alpha=0.7)
    svg.label(axes, y="share inside the 80 % and the 95 % interval", x="slices ahead")
    svg.legend(axes, columns=4)
    axes.set_position((0.09, 0.17, 0.89, 0.62))
    columns = [Column(name="Entry"), Column(name="Interval", align="right"), Column(name="Slices ahead"),
               Column(name="Inside", align="right"), Column(name="Outcomes", align="right")]  # fmt: skip
    said = ", ".join(f"{clean(row.entry, 40)} {_share(row.coverage_at(0.8)).text}" for row in drawn)
    alt = f"Coverage along the horizon; inside the 80 % interval overall: {said}."
    caption = "Share of outcomes inside the intervals by distance; the dashed lines are what the intervals promise."
    data = (table("Coverage along the horizon", columns, rows, sortable=False),)
    return Figure(name=key, svg=svg.finish(figure, key, alt), alt=alt, caption=caption, data=data)


def standalone_svg(figure: Figure) -> str:
    """Return a figure's drawing as a file of its own, on white, with its caption as title.

    Examples
    --------
    >>> f = Figure(name="a", svg='<svg viewBox="0 0 1 1" class="chart"><g /></svg>', alt="", caption="A < B", data=())
    >>> standalone_svg(f)
    '<svg xmlns="http://www.w3.org/2000/svg" style="background:#fff" viewBox="0 0 1 1" class="chart"><title>A &lt; B...'
    """
    from xml.sax.saxutils import escape

    head, rest = figure.svg.split(">", 1)
    start = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg" style="background:#fff"', 1)
    return f"{start}><title>{escape(figure.caption)}</title>{rest}\n"


def _line(axes: Axes, xs: Sequence[float], ys: Sequence[float], colour: str, mark: str, words: str) -> None:
    """One entry's line; a name that begins with _ stays out of the legend."""
    label = words if words.startswith("_") else clean(words, 24)
    axes.plot(xs, ys, color=colour, marker=mark, markersize=3, linewidth=1.0, label=label)


def _buckets(row: LeagueRow, level: float) -> list[CoverageCell]:
    """Coverage by distance over all series; the overall cell where the horizon is one slice."""
    cells = [cell for cell in row.coverage if cell.level == level and not cell.stratum]
    return cells[1:] or cells


def _score(value: float) -> Cell:
    """A relative error with three decimals."""
    known = value == value
    return Cell(text=f"{value:.3f}" if known else "not scored", value=value if known else None)


def _ends(low: float, high: float) -> Cell:
    """Both ends of an interval of relative errors."""
    known = low == low and high == high
    return Cell(text=f"{low:.3f}–{high:.3f}", low=low, high=high) if known else Cell(text="not scored")


def _share(value: float) -> Cell:
    """A share in percent with one decimal."""
    known = value == value
    return Cell(text=f"{100 * value:.1f} %" if known else "not known", value=value if known else None, unit="share")

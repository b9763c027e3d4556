"""The drawings of the plan: each returns a `Figure` with its words and the numbers it was drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from forecasting.reports import svg
from forecasting.reports.base import Cell, Column, Figure, Table, table
from forecasting.reports.formatting import (
    clean,
    day,
    instant,
    money,
    name,
    number,
    percent,
    plural,
    probability,
    share,
    target_text,
    text,
)
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series
from forecasting.terms.plan import ObjectiveOutlook

HISTORY_DAYS = 120
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


def slices(start: datetime, step: timedelta, zone: str, count: int) -> list[date] | list[datetime]:
    """Return the local day of each slice, or its UTC start where slices are shorter than a day.

    Examples
    --------
    >>> from datetime import UTC
    >>> slices(datetime(2013, 3, 10, 5, tzinfo=UTC), timedelta(days=1), "America/New_York", 2)
    [datetime.date(2013, 3, 10), datetime.date(2013, 3, 11)]
    """
    if step >= timedelta(days=1):
        first = start.astimezone(ZoneInfo(zone)).date()
        return [first + i * step for i in range(count)]
    return [start + i * step for i in range(count)]


def _slice_cell(when: date | datetime) -> Cell:
    """Print a slice as an instant or as a day."""
    return instant(when) if isinstance(when, datetime) else day(when)


def demand_fan(key: str, forecast: Forecast, demand: Series | None) -> Figure:
    """Draw past demand and the 50, 80 and 95 % bands of the forecast.

    Parameters
    ----------
    key : str
        Unique name of the figure: letters, digits, hyphens.
    forecast : Forecast
        Sample paths; the bands are their marginal quantiles per slice.
    demand : Series or None
        History on the same step; the last 120 slices are drawn, gaps stay gaps.
    """
    import numpy as np

    ahead = slices(forecast.start, forecast.step, forecast.zone, forecast.horizon)
    q = np.quantile(forecast.paths, LEVELS, axis=0)
    unit = clean(forecast.metric.unit or forecast.metric.name, 40)
    per = "a day" if forecast.step == timedelta(days=1) else f"per {forecast.step}"
    figure, axes = svg.canvas()
    tables: list[Table] = []
    if demand is not None and len(demand):
        shown = np.asarray(demand.values[-HISTORY_DAYS:], dtype=float)
        past = slices(demand.start, demand.step, demand.zone, len(demand))[-HISTORY_DAYS:]
        axes.plot(
            [svg.days_since_epoch(d) for d in past], shown, color=svg.INK, linewidth=0.8, alpha=0.75, label="measured"
        )
        rows = [
            (_slice_cell(when), number(float(value), because="the slice was not measured"))
            for when, value in zip(past, shown, strict=True)
        ]
        columns = [Column(name="Slice"), Column(name="Measured", unit=unit, align="right")]
        tables.append(table(f"Measured {clean(forecast.metric.name, 60)}", columns, rows, sortable=False))
    xs = [svg.days_since_epoch(d) for d in ahead]
    bands = ((0, 6, "95 %", 0.18), (1, 5, "80 %", 0.28), (2, 4, "50 %", 0.42))
    for low, high, words, alpha in bands:
        axes.fill_between(xs, q[low], q[high], color=svg.SKY, alpha=alpha, linewidth=0, label=words)
    axes.plot(xs, q[3], color=svg.BLUE, linewidth=1.2, label="median")
    axes.axvline(xs[0], color=svg.INK, linewidth=0.6, linestyle=(0, (2, 2)), alpha=0.7)
    axes.set_ylim(bottom=min(0.0, float(q[0].min())))
    svg.time_axis(axes)
    cut = instant(forecast.cut_off).text
    svg.label(axes, y=f"{unit} {per}", note=f"data until {cut}")
    svg.legend(axes)
    columns = [Column(name="Slice"), Column(name="Median", unit=unit, align="right")]
    columns += [Column(name=f"{words} band", unit=unit, align="right") for _, _, words, _ in reversed(bands)]
    rows_ahead = [
        (
            _slice_cell(when),
            number(float(q[3, i])),
            *(_band(float(q[low, i]), float(q[high, i])) for low, high, _, _ in reversed(bands)),
        )
        for i, when in enumerate(ahead)
    ]
    tables.append(table(f"Forecast {clean(forecast.metric.name, 60)}", columns, rows_ahead, sortable=False))
    who, last = name(forecast.service), forecast.horizon - 1
    alt = (
        f"Demand of {who} in {unit} {per}: median {number(float(q[3, 0])).text} on {_slice_cell(ahead[0]).text} "
        f"and {number(float(q[3, last])).text} on {_slice_cell(ahead[last]).text}, 80 % band "
        f"{_band(float(q[1, last]), float(q[5, last])).text} there."
    )
    caption = (
        f"Demand of {who}: measured, then forecast by {clean(forecast.model, 40)} with 50, 80 and 95 % bands. "
        f"Unit: {unit} {per}. Data until {cut}."
    )
    return Figure(name=key, svg=svg.finish(figure, key, alt), alt=alt, caption=caption, data=tuple(tables))


def _band(low: float, high: float) -> Cell:
    """Print both ends of a band."""
    return Cell(text=f"{number(low).text}–{number(high).text}", value=(low + high) / 2, low=low, high=high)


def attainment_chart(key: str, outlook: ObjectiveOutlook, as_of: datetime, last: int = 8) -> Figure | None:
    """Draw the last windows against the target, then the spread expected for the coming ones; None if empty."""
    closed = [a for a in outlook.attainments if a.value is not None and (a.final or a.provisional)][-last:]
    if not closed and not outlook.risks:
        return None
    target = float(outlook.objective.target) * 100
    words = target_text(outlook.objective.target)
    figure, axes = svg.canvas(height=2.4)
    axes.axhline(target, color=svg.INK, linewidth=0.9, linestyle=(0, (4, 2)), label=f"target {words}")
    met = [(i, float(a.value) * 100) for i, a in enumerate(closed) if a.value is not None and a.value >= a.target]
    lost = [(i, float(a.value) * 100) for i, a in enumerate(closed) if a.value is not None and a.value < a.target]
    for found, colour, marker, says in ((met, svg.BLUE, "o", "met"), (lost, svg.VERMILLION, "v", "missed")):
        if found:
            xs, ys = [x for x, _ in found], [y for _, y in found]
            axes.vlines(xs, [target] * len(xs), ys, color=colour, linewidth=1.6, alpha=0.6)
            axes.plot(xs, ys, marker, color=colour, markersize=5, label=says)
    says = "expected 80 %, P(miss) above"
    for i, risk in enumerate(outlook.risks):
        x = len(closed) + i
        p10, p50, p90 = (100 * v for v in (risk.attainment_p10, risk.attainment_p50, risk.attainment_p90))
        axes.vlines([x], [p10], [p90], color=svg.SKY, linewidth=5, alpha=0.7, label=says if i == 0 else "_")
        axes.plot([x], [p50], "D", color=svg.BLUE, markerfacecolor="white", markersize=4)
        axes.annotate(
            percent(risk.probability),
            (x, p90),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=6.8,
            color=svg.INK,
        )
    labels = [clean(a.period.label, 16) for a in closed] + [clean(r.period.label, 16) for r in outlook.risks]
    axes.set_xticks(range(len(labels)), labels, rotation=0 if max(map(len, labels)) < 9 else 18)
    for tick in axes.get_xticklabels():
        tick.set_parse_math(False)
    axes.margins(x=0.04, y=0.16)
    axes.yaxis.get_major_formatter().set_useOffset(False)  # type: ignore[attr-defined]
    cut = instant(as_of).text
    svg.label(axes, y="attainment in % of events", note=f"data until {cut}")
    svg.legend(axes)
    columns = [
        Column(name="Window"),
        Column(name="Attained", align="right"),
        Column(name="Expected 80 %", align="right"),
    ]
    rows = [(text(a.period.label), share(a.value, a.target), text("closed")) for a in closed]
    rows += [(text(r.period.label), share(r.attainment_p50, r.target), attained_range(r)) for r in outlook.risks]
    who = name(outlook.objective.display_name or outlook.objective.name)
    ahead = "; ".join(f"{clean(r.period.label)} {probability(r.probability).text}" for r in outlook.risks)
    alt = f"{who} against the target of {words}: {len(met)} of {plural(len(closed), 'closed window')} met."
    alt += f" Probability of a miss: {ahead}." if ahead else ""
    caption = f"{who}: closed windows, and the 80 % range of the coming ones with P(miss). Data until {cut}."
    data = table("Attainment drawn", columns, rows, sortable=False)
    return Figure(name=key, svg=svg.finish(figure, key, alt), alt=alt, caption=caption, data=(data,))


def attained_range(risk: BreachRisk) -> Cell:
    """Print the 10 to 90 % range of a window's attainment."""
    low, high = share(risk.attainment_p10, risk.target), share(risk.attainment_p90, risk.target)
    return Cell(
        text=f"{low.text.removesuffix(' %')}–{high.text}",
        value=risk.attainment_p50,
        low=risk.attainment_p10,
        high=risk.attainment_p90,
        unit="share",
    )


def risk_matrix(key: str, risks: Sequence[BreachRisk], names: Sequence[str], as_of: datetime, currency: str) -> Figure:
    """Draw P(miss) against the expected credits and loss, one numbered mark per window at risk."""
    from matplotlib.ticker import FuncFormatter

    figure, axes = svg.canvas(height=2.9)
    xs = [100 * r.probability for r in risks]
    ys = [r.expected_credit + r.expected_loss for r in risks]
    axes.axvspan(50, 100, color=svg.ORANGE, alpha=0.10, linewidth=0)
    axes.scatter(xs, ys, s=26, color=svg.VERMILLION, alpha=0.75, linewidths=0)
    for i, (x, y) in enumerate(zip(xs, ys, strict=True), start=1):
        axes.annotate(str(i), (x, y), xytext=(4, 2), textcoords="offset points", fontsize=7, color=svg.INK)
    axes.set_xlim(0, 103)
    axes.grid(True, axis="x", color=svg.INK, alpha=0.12, linewidth=0.5)
    top = max([*ys, 1.0])
    if top > 0 and min((y for y in ys if y > 0), default=top) < top / 50:
        axes.set_yscale("symlog", linthresh=max(top / 1000, 1.0))
    axes.set_ylim(0, top * 1.25)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _short_money(v)))
    cut = instant(as_of).text
    svg.label(axes, y=f"expected credits and loss in {currency}", x="P(miss) in %", note=f"data until {cut}")
    axes.set_position((0.09, 0.2, 0.89, 0.66))
    columns = [
        Column(name="Mark", align="right"),
        Column(name="Objective and window"),
        Column(name="P(miss)", align="right"),
        Column(name="Expected credits and loss", align="right"),
    ]
    rows = [
        (
            number(i),
            text(f"{who}, {r.period.label}"),
            probability(r.probability, r.probability_low, r.probability_high, decided=r.decided, bad=True),
            money(y, currency),
        )
        for i, (r, who, y) in enumerate(zip(risks, names, ys, strict=True), start=1)
    ]
    above = sum(1 for x in xs if x >= 50)
    alt = (
        f"Risk matrix of {plural(len(risks), 'window')}: {above} at or above a 50 % chance of a miss; "
        f"the most costly expects {money(max(ys, default=0.0), currency).text}."
    )
    caption = f"Risk matrix: P(miss) against expected credits and loss in {currency}. Data until {cut}."
    data = table("Marks of the risk matrix", columns, rows)
    return Figure(name=key, svg=svg.finish(figure, key, alt), alt=alt, caption=caption, data=(data,))


def _short_money(value: float) -> str:
    """Print an axis tick."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def headroom_chart(key: str, requirement: Requirement) -> Figure | None:
    """Draw the use of a resource against its usable limit, with the order-by and need-by marks; None if empty."""
    history, median = requirement.daily_use_history[-HISTORY_DAYS:], requirement.daily_use_p50
    high = dict(requirement.daily_use_p90)
    if not history and not median:
        return None
    unit = clean(requirement.unit, 40)
    figure, axes = svg.canvas()
    if history:
        axes.plot(
            [svg.days_since_epoch(d) for d, _ in history],
            [v for _, v in history],
            color=svg.INK,
            linewidth=0.8,
            alpha=0.75,
            label="used",
        )
    if median:
        days, values = [svg.days_since_epoch(d) for d, _ in median], [v for _, v in median]
        tops = [high.get(d, v) for d, v in median]
        axes.fill_between(days, values, tops, color=svg.SKY, alpha=0.4, linewidth=0, label="median to 90 %")
        axes.plot(days, values, color=svg.BLUE, linewidth=1.2, label="median")
    axes.axhline(float(requirement.usable_units), color=svg.VERMILLION, linewidth=1.1, label="usable limit")
    axes.set_ylim(bottom=0)
    first = (history or median)[0][0]
    lowest, marks = axes.get_ylim()[0], (("order by", requirement.order_by), ("need by", requirement.need_by))
    for words, when in marks:
        if when is not None and when >= first:
            axes.axvline(svg.days_since_epoch(when), color=svg.PURPLE, linewidth=1.1, linestyle=(0, (4, 2)))
            place = (svg.days_since_epoch(when), lowest)
            axes.annotate(words, place, xytext=(3, 4), textcoords="offset points", fontsize=7, color=svg.INK)
    svg.time_axis(axes)
    cut = instant(requirement.as_of).text
    svg.label(axes, y=unit, note=f"data until {cut}")
    svg.legend(axes)
    columns = [
        Column(name="Day"),
        Column(name="Median", unit=unit, align="right"),
        Column(name="90 %", unit=unit, align="right"),
    ]
    rows = [(day(d), number(v), number(high.get(d), because="no 90 % use was computed")) for d, v in median]
    who = name(requirement.resource)
    order = day(requirement.order_by, because="nothing has to be ordered within the horizon").text
    alt = (
        f"Daily peak use of {who} in {unit} against the usable limit of {number(requirement.usable_units).text}: "
        f"P(exhausted) {percent(requirement.probability_exhausted)}; order by: {order}."
    )
    caption = f"{who}: daily peak use and its forecast against the usable limit. Unit: {unit}. Data until {cut}."
    data = table(f"Forecast use of {who}", columns, rows, sortable=False)
    return Figure(name=key, svg=svg.finish(figure, key, alt), alt=alt, caption=caption, data=(data,))

"""Attainments placed on the ladder, and put in rows: one a window and objective, or one a window where joint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from forecasting.history.calendar import as_utc, local_midnight, zone_of
from forecasting.service_levels.credits import Rung, ladder
from forecasting.service_levels.rounding import rounded_share
from forecasting.terms.agreement import Agreement, Credits
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import Attainment, AttainmentStatus, Objective, Period, Window

_JUDGED = (AttainmentStatus.MET, AttainmentStatus.BREACHED, AttainmentStatus.UNDETERMINED)
_NOTHING = Rung(credit=Fraction(0))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One objective in one window: what it costs before repeats and caps."""

    order: int
    objective: Objective
    attainment: Attainment
    covered: Fraction
    sure: Rung
    """Judged on the attainment, or on its upper bound below the minimum coverage."""
    best: Rung
    """Unknown as all good."""
    worst: Rung
    """Unknown as all bad."""
    best_misses: bool
    worst_misses: bool
    by_interval: bool
    """Below the minimum coverage."""

    @property
    def judged(self) -> bool:
        """Whether there is a verdict, or would be one with all data."""
        return self.attainment.status in _JUDGED

    @property
    def missed(self) -> bool:
        """Whether the verdict is a miss."""
        return self.attainment.status is AttainmentStatus.BREACHED

    @property
    def running(self) -> bool:
        """Whether the window has not closed."""
        return self.attainment.status is AttainmentStatus.RUNNING

    @property
    def final(self) -> bool:
        """Whether no late data can change it."""
        return self.attainment.final and not self.attainment.provisional and not self.running


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line to be: the cells of a window (one; all objectives where the credit is joint)."""

    window: Window
    period: Period
    cells: tuple[Cell, ...]

    @property
    def closed(self) -> tuple[Cell, ...]:
        """The cells that have a verdict or never will."""
        return tuple(cell for cell in self.cells if not cell.running)

    @property
    def missed(self) -> bool:
        """Whether any objective was missed."""
        return any(cell.missed for cell in self.cells)

    @property
    def final(self) -> bool:
        """Whether all cells are final."""
        return all(cell.final for cell in self.cells)

    @property
    def order(self) -> tuple[datetime, datetime, int]:
        """What rows are sorted by: end, start, objective."""
        return self.period.end, self.period.start, self.cells[0].order


def rows_of(
    agreement: Agreement, terms: Credits, attainments: Sequence[Attainment], covered: Mapping[Period, Fraction]
) -> dict[str | Window, list[Row]]:
    """Return the rows of each objective (of each kind of window where joint), oldest first, within the validity."""
    by_name = {objective.name: (i, objective) for i, objective in enumerate(agreement.objectives)}
    last_of: dict[str, Attainment] = {}
    cells: dict[tuple[str | Window, datetime, datetime], list[Cell]] = defaultdict(list)
    for a in sorted(attainments, key=lambda a: (a.period.end, a.period.start)):
        if a.agreement != agreement.id or a.objective not in by_name:
            raise InputError(
                argument="attainments",
                came=f"{a.agreement}: {a.objective}",
                allowed=f"objectives of the agreement {agreement.id}: {', '.join(by_name)}",
                try_instead="only the attainments of this agreement",
            )
        before = last_of.get(a.objective)
        if before is not None and a.period.start < before.period.end:
            if a.status is AttainmentStatus.RUNNING:
                continue  # the running one of a rolling window reaches back into the last closed one
            raise InputError(
                argument="attainments",
                came=f"{a.objective}: {before.period.label} and {a.period.label}",
                allowed="windows of one objective that do not overlap, each once",
                try_instead="the latest attainment of each window; of rolling windows those of closed_periods",
            )
        last_of[a.objective] = a
        order, objective = by_name[a.objective]
        share = covered[a.period] if a.period in covered else _covered(agreement, a.period, objective.window.zone)
        if share > 0:
            stream = objective.window if terms.joint else objective.name
            cell = _cell(terms, order, objective, a, share if terms.proration == "time" else Fraction(1))
            cells[stream, a.period.start, a.period.end].append(cell)
    streams: dict[str | Window, list[Row]] = defaultdict(list)
    for (stream, _, _), found in cells.items():  # in order of the windows' ends
        found.sort(key=lambda cell: cell.order)
        first = found[0]
        row = Row(window=first.objective.window, period=first.attainment.period, cells=tuple(found))
        streams[stream].append(row)
    return streams


def _covered(agreement: Agreement, period: Period, zone: str) -> Fraction:
    """Return the share of a window's elapsed time that lies in the agreement's validity."""
    local = zone_of(zone)
    start = max(as_utc(period.start), local_midnight(agreement.valid_from, local))
    end = min([as_utc(period.end), *end_of_validity(agreement, zone)])
    microsecond = timedelta(microseconds=1)
    return max(Fraction(0), Fraction((end - start) // microsecond, (period.end - period.start) // microsecond))


def end_of_validity(agreement: Agreement, zone: str) -> tuple[datetime, ...]:
    """Return the instant at which the agreement ends, if it does."""
    if agreement.valid_until is None:
        return ()
    return (local_midnight(agreement.valid_until + timedelta(days=1), zone_of(zone)),)


def _cell(terms: Credits, order: int, objective: Objective, a: Attainment, covered: Fraction) -> Cell:
    """Place an attainment and its bounds on the ladder."""
    if a.status not in _JUDGED or a.value is None:
        sure = best = worst = _NOTHING
        return Cell(
            order=order,
            objective=objective,
            attainment=a,
            covered=covered,
            sure=sure,
            best=best,
            worst=worst,
            best_misses=False,
            worst_misses=False,
            by_interval=False,
        )
    low = a.value if a.lower is None else a.lower
    high = a.value if a.upper is None else a.upper
    elapsed = a.elapsed_slices
    by_interval = a.status is AttainmentStatus.UNDETERMINED or (
        Fraction(a.known_slices) < Fraction(objective.minimum_coverage) * elapsed
    )
    budget = 1 - Fraction(a.target)
    # Unknown time carries the mean of the known, as in `lower` and `upper`.
    whole = Fraction(a.total) if low == high or not a.known_slices else Fraction(a.total * elapsed, a.known_slices)

    def misses(value: Decimal) -> bool:
        share = rounded_share(value, objective.rounding)
        return share < Fraction(a.target) or (objective.strict and share == Fraction(a.target))

    def rung(value: Decimal, bad: Fraction, total: Fraction) -> Rung:
        share = rounded_share(value, objective.rounding)
        if not (terms.per_hour_share and a.unit == "microseconds"):
            return ladder(terms, share, covered=covered)
        beyond = bad - budget * total if misses(value) else Fraction(0)
        return ladder(terms, share, covered=covered, beyond=beyond)

    best = rung(high, Fraction(a.bad), whole)
    worst = rung(low, whole - a.good, whole)
    return Cell(
        order=order,
        objective=objective,
        attainment=a,
        covered=covered,
        sure=best if by_interval else rung(a.value, Fraction(a.bad), Fraction(a.total)),
        best=best,
        worst=worst,
        best_misses=misses(high),
        worst_misses=misses(low),
        by_interval=by_interval,
    )


def repeat_factors(terms: Credits, rows: Sequence[Row]) -> list[Fraction]:
    """Return what a miss in each window is multiplied with, because of the misses before it."""
    factors, chain, last = [], -1, None
    for i, row in enumerate(rows):
        repeated = terms.repeat is not None and last is not None and i - last <= terms.repeat.within
        length = chain + 1 if repeated else 0
        exponent = length if terms.repeat is not None and terms.repeat.compounding else min(length, 1)
        factors.append(Fraction(1) if terms.repeat is None else Fraction(terms.repeat.multiplier) ** exponent)
        if row.missed:
            chain, last = length, i
    return factors


def termination_rights(terms: Credits, streams: Mapping[str | Window, Sequence[Row]]) -> dict[int, bool]:
    """Say for each row (by id) whether the misses of the last windows of its kind give the right to end it."""
    rows = sorted((row for found in streams.values() for row in found), key=lambda row: row.order)
    rule = terms.termination
    if rule is None:
        return {id(row): False for row in rows}
    # Per kind of window its instances in order: several objectives share one.
    missed: dict[Window, dict[tuple[datetime, datetime], bool]] = defaultdict(dict)
    for row in rows:
        bounds = row.period.end, row.period.start
        missed[row.window][bounds] = missed[row.window].get(bounds, False) or row.missed
    enough: dict[tuple[Window, datetime, datetime], bool] = {}
    for window, instances in missed.items():
        flags = list(instances.values())
        for i, (end, start) in enumerate(instances):
            enough[window, end, start] = sum(flags[max(0, i + 1 - rule.within) : i + 1]) >= rule.misses
    return {id(row): enough[row.window, row.period.end, row.period.start] for row in rows}

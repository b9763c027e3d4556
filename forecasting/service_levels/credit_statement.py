"""The statement of service credits: one line a window and objective, exact to the smallest unit of the currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction

from forecasting.history.calendar import as_utc, local_midnight, zone_of
from forecasting.service_levels._credit_rows import (
    Cell,
    Row,
    end_of_validity,
    repeat_factors,
    rows_of,
    termination_rights,
)
from forecasting.service_levels._credit_words import Reckoning, explain
from forecasting.service_levels.credits import from_units, to_units
from forecasting.service_levels.rounding import rounded_share
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, EarnBack
from forecasting.terms.credit import ClaimStatus, CreditLine, CreditTotal
from forecasting.terms.service_level import Attainment, Period


def credit_statement(
    agreement: Agreement,
    attainments: Sequence[Attainment],
    *,
    as_of: datetime,
    covered: Mapping[Period, Fraction] | None = None,
) -> tuple[CreditLine, ...]:
    """Return the credits of an agreement's windows in order of their ends, as the terms' docstrings define them.

    Closed windows have a line each, also where nothing is due; running ones and those outside the agreement's
    validity have none. Of a window judged by its interval (below the minimum coverage) what is certain is due, with
    `low` and `high` beside it; a window without traffic or with too few data costs nothing. Repeats, caps and the
    right to end the agreement take earlier windows at what was due, so that a later window never changes an
    earlier line but by earn-back.

    Parameters
    ----------
    agreement : Agreement
    attainments : sequence of Attainment
        Of its objectives, in any order; for each objective closed windows without overlap and without gaps (`within`
        and earn-back count windows). Running ones may be among them.
    as_of : datetime
        UTC instant at which claims are looked at.
    covered : mapping of Period to Fraction, or None
        Share of a window that the agreement covers, where it is not that of its validity.

    Returns
    -------
    tuple of CreditLine

    Raises
    ------
    InputError
        An attainment of another agreement or objective, or closed windows of one objective that overlap.

    Examples
    --------
    >>> from datetime import UTC
    >>> from forecasting.terms.agreement import CreditTier
    >>> from forecasting.terms.service_level import AttainmentStatus, CalendarWindow, Objective, RatioIndicator
    >>> slo = Objective(name="kept", service="shop", indicator=RatioIndicator(total="all", good="good"),
    ...                 target=Decimal("0.999"), window=CalendarWindow(unit="month", zone="UTC"))
    >>> sla = Agreement(id="sla", kind=AgreementKind.SLA, service="shop", customer="sales", provider="it",
    ...     objectives=(slo,), valid_from=date(2027, 1, 1), valid_until=None, credits=Credits(cap_share=Decimal("0.25"),
    ...     fee_per_period=Decimal(185000), tiers=(CreditTier(below=slo.target, share_of_fee=Decimal("0.05")),)))
    >>> march = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
    >>> share = Decimal("0.9985")
    >>> missed = Attainment(service="shop", agreement="sla", objective="kept", period=march, target=slo.target,
    ...     good=9985, total=10000, known_slices=31, elapsed_slices=31, planned_slices=31, value=share, lower=share,
    ...     upper=share, status=AttainmentStatus.BREACHED, as_of=march.end, final=True)
    >>> line, = credit_statement(sla, [missed], as_of=march.end)
    >>> line.due, line.explanation
    (Decimal('9250.00'), '99.85 % is below 99.9 %: 5 % of EUR 185,000.00 = EUR 9,250.00')
    """
    terms = agreement.credits
    if terms is None:
        return ()
    streams = rows_of(agreement, terms, attainments, covered or {})
    factors = {
        id(row): f for rows in streams.values() for row, f in zip(rows, repeat_factors(terms, rows), strict=True)
    }
    ending = termination_rights(terms, streams)
    ahead = 0 if terms.earn_back is None else terms.earn_back.windows
    after = {id(row): rows[i + 1 : i + 1 + ahead] for rows in streams.values() for i, row in enumerate(rows)}
    used_window: dict[tuple[datetime, datetime], int] = defaultdict(int)
    used_year: dict[int, int] = defaultdict(int)
    lines = []
    for row in sorted((row for rows in streams.values() for row in rows if row.closed), key=lambda row: row.order):
        local_end = (row.period.end - timedelta(microseconds=1)).astimezone(zone_of(row.window.zone))
        bounds = row.period.start, row.period.end
        room = _Room.of(terms, row, agreement.currency, used_window[bounds], used_year[local_end.year], local_end.year)
        line, capped = _line(agreement, terms, row, factors[id(row)], room, after[id(row)], as_of, ending[id(row)])
        used_window[bounds] += capped
        used_year[local_end.year] += capped
        lines.append(line)
    return tuple(lines)


def receivables(lines: Iterable[CreditLine], as_of: datetime) -> tuple[CreditLine, ...]:
    """Return what may be claimed from suppliers at `as_of`, the nearest deadline first, those without one last.

    Undetermined lines are among them where something may be due: a claim can be lodged before all is known.

    Examples
    --------
    >>> receivables([], datetime(2027, 3, 1))
    ()
    """
    now = as_utc(as_of)
    mine = [
        line
        for line in lines
        if line.receivable
        and (line.due > 0 or (line.claim is ClaimStatus.UNDETERMINED and line.high > 0))
        and (line.claim_ends is None or now < line.claim_ends)
    ]
    return tuple(
        sorted(mine, key=lambda x: (x.claim_by or date.max, x.period.end, x.agreement, x.objective, x.period.start))
    )


def credit_totals(lines: Iterable[CreditLine]) -> tuple[CreditTotal, ...]:
    """Return the sums of the lines, one for each currency in alphabetical order.

    Examples
    --------
    >>> credit_totals([])
    ()
    """
    by_currency: dict[str, list[CreditLine]] = defaultdict(list)
    for line in lines:
        by_currency[line.currency].append(line)
    return tuple(_total(currency, by_currency[currency]) for currency in sorted(by_currency))


def _total(currency: str, lines: list[CreditLine]) -> CreditTotal:
    def total(amounts: Iterable[Decimal]) -> Decimal:
        return from_units(to_units(sum(map(Fraction, amounts), Fraction(0)), currency), currency)

    return CreditTotal(
        currency=currency,
        lines=len(lines),
        gross=total(x.gross for x in lines),
        capped=total(x.capped for x in lines),
        earned_back=total(x.earned_back for x in lines),
        due=total(x.due for x in lines),
        low=total(x.low for x in lines),
        high=total(x.high for x in lines),
        payable=total(x.due for x in lines if not x.receivable),
        receivable=total(x.due for x in lines if x.receivable),
        lapsed=total(x.due for x in lines if x.claim is ClaimStatus.LAPSED),
    )


@dataclass(frozen=True, kw_only=True)
class _Room:
    """What the caps leave for a window, in smallest units."""

    window: int
    year: int | None
    year_name: int

    @classmethod
    def of(cls, terms: Credits, row: Row, currency: str, used_window: int, used_year: int, year_name: int) -> _Room:
        cap = Fraction(terms.fee_per_period) * row.cells[0].covered * Fraction(terms.cap_share)
        year = None if terms.cap_per_year is None else to_units(Fraction(terms.cap_per_year), currency) - used_year
        return cls(window=max(0, to_units(cap, currency) - used_window), year=year, year_name=year_name)

    def cap(self, units: int) -> int:
        return min(units, self.window) if self.year is None else min(units, self.window, self.year)


def _line(
    agreement: Agreement,
    terms: Credits,
    row: Row,
    factor: Fraction,
    room: _Room,
    later: Sequence[Row],
    as_of: datetime,
    ending: bool,
) -> tuple[CreditLine, int]:
    """Return the line of a row, and what it takes of the caps in smallest units."""
    currency = agreement.currency

    def sure(cell: Cell) -> Fraction:
        return cell.sure.credit * (factor if cell.missed else 1)

    def worst(cell: Cell) -> Fraction:
        return max(sure(cell), cell.worst.credit * (factor if cell.worst_misses else 1))

    def best(cell: Cell) -> Fraction:
        return min(sure(cell), cell.best.credit * (factor if cell.best_misses else 1))

    # The worst objective: the largest credit, then the largest possible one, then a miss, then the smallest
    # margin, then the first one.
    told = max(row.closed, key=lambda c: (sure(c), worst(c), c.missed, -_margin(c)))
    gross, low, high = (to_units(max(f(c) for c in row.closed), currency) for f in (sure, best, worst))
    capped, low, high = room.cap(gross), room.cap(low), room.cap(high)
    earned, open_ = _earn_back(agreement, terms.earn_back, row, later) if capped or high else (False, False)
    back_share = Fraction(terms.earn_back.share) if terms.earn_back is not None and earned else Fraction(0)
    back, low_back, high_back = (int(x * back_share + Fraction(1, 2)) for x in (capped, low, high))
    due, low, high = capped - back, low - low_back, high - high_back
    undetermined = any(cell.by_interval for cell in row.closed) and low < high
    claim_by, claim_ends = _claim_by(terms, row)
    if (due > 0 or undetermined) and claim_ends is not None and as_utc(as_of) >= claim_ends:
        claim = ClaimStatus.LAPSED
    elif undetermined:
        claim = ClaimStatus.UNDETERMINED
    elif open_ or not row.final:
        claim = ClaimStatus.PROVISIONAL
    elif due == 0:
        claim = ClaimStatus.NONE
    else:
        claim = ClaimStatus.AUTOMATIC if claim_by is None else ClaimStatus.CLAIMABLE
    fee = Fraction(terms.fee_per_period) * told.covered
    multiplier = factor if told.missed else Fraction(1)
    line = CreditLine(
        agreement=agreement.id,
        objective=told.objective.name,
        period=row.period,
        status=told.attainment.status,
        attainment=told.attainment.value,
        fee=_decimal(fee),
        tier_below=told.sure.tier.below if told.sure.tier else None,
        share=told.sure.share,
        multiplier=_decimal(multiplier),
        gross=from_units(gross, currency),
        capped=from_units(capped, currency),
        earned_back=from_units(back, currency),
        due=from_units(due, currency),
        low=from_units(low, currency),
        high=from_units(high, currency),
        claim=claim,
        claim_by=None if claim is ClaimStatus.NONE else claim_by,
        claim_ends=None if claim is ClaimStatus.NONE else claim_ends,
        paid_by=agreement.provider,
        paid_to=agreement.customer,
        currency=currency,
        receivable=agreement.kind is AgreementKind.UC,
        joint=terms.joint,
        termination_right=ending,
        explanation=explain(
            Reckoning(
                objective=told.objective if len(row.cells) > 1 else None,
                attainment=told.attainment,
                terms=terms,
                currency=currency,
                rung=told.sure,
                target=told.objective.target,
                rounding=told.objective.rounding,
                fee=fee,
                covered=told.covered,
                factor=multiplier,
                by_interval=told.by_interval,
                gross=gross,
                capped=capped,
                window_room=room.window,
                year=room.year_name,
                back=back,
                back_open=open_ and capped > 0,
                low=low,
                high=high,
                undetermined=undetermined,
                claim=claim,
                claim_by=claim_by,
                ending=ending,
            )
        ),
    )
    return line, capped


def _margin(cell: Cell) -> Fraction:
    """Return attainment − target; without an attainment as good as it gets."""
    value = cell.attainment.value
    return Fraction(1) if value is None else Fraction(value) - Fraction(cell.attainment.target)


def _earn_back(agreement: Agreement, rule: EarnBack | None, row: Row, next_ones: Sequence[Row]) -> tuple[bool, bool]:
    """Return whether the credit is earned back, and whether that is still open."""
    if rule is None:
        return False, False
    if any(row.final and not _reaches(row, rule) for row in next_ones):
        return False, False
    if len(next_ones) < rule.windows:
        last = (next_ones[-1] if next_ones else row).period.end
        return False, not any(end <= last for end in end_of_validity(agreement, row.window.zone))
    settled = all(row.final for row in next_ones)
    return settled, not settled


def _reaches(row: Row, rule: EarnBack) -> bool:
    """Say whether every objective of a final window is shown to reach what earns a credit back."""
    for cell in row.cells:
        value = cell.attainment.lower if cell.by_interval else cell.attainment.value
        if not cell.judged or value is None:
            return False
        if rounded_share(value, cell.objective.rounding) < Fraction(rule.reach):
            return False
    return True


def _claim_by(terms: Credits, row: Row) -> tuple[date | None, datetime | None]:
    """Return the last local day to claim and the instant at which it is over."""
    if terms.claim_within is None:
        return None, None
    local = zone_of(row.window.zone)
    last = as_utc(row.period.end) - timedelta(microseconds=1)
    if terms.claim_within % timedelta(days=1):
        day = (last + terms.claim_within).astimezone(local).date()
    else:  # calendar days, counted from the window's last day: March and 30 days end with 30 April
        day = last.astimezone(local).date() + terms.claim_within
    return day, local_midnight(day + timedelta(days=1), local)


def _decimal(exact: Fraction) -> Decimal:
    """Return a fraction to 28 significant digits, whatever the caller's decimal context."""
    return Context(prec=28).divide(Decimal(exact.numerator), Decimal(exact.denominator))

"""Credits: never negative, never above a cap, monotone, independent of order, sums and prefixes, paths = statement."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.service_levels.attainment import satisfies
from forecasting.service_levels.credit_statement import credit_statement, credit_totals, receivables
from forecasting.service_levels.credits import credit_due, credits_on_paths, from_units, to_units
from forecasting.service_levels.rounding import rounded_share
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.agreement import (
    Agreement,
    AgreementKind,
    Credits,
    CreditTier,
    EarnBack,
    RepeatRule,
    Termination,
)
from forecasting.terms.credit import ClaimStatus, CreditLine
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    AvailabilityIndicator,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
    Rounding,
)

QUICK = settings(derandomize=True, max_examples=80, deadline=None)
FAR = datetime(2040, 1, 1, tzinfo=UTC)
CURRENCIES = ("EUR", "JPY", "KRW", "KWD")
HOUR = 3_600_000_000
EARN_BACK_FIELDS = ("earned_back", "due", "low", "high", "claim", "claim_by", "claim_ends", "explanation")


def share(low: int, high: int) -> st.SearchStrategy[Decimal]:
    """Shares in thousandths of a percent."""
    return st.integers(low, high).map(lambda n: Decimal(n) / 100_000)


@st.composite
def ladders(draw: st.DrawFn) -> Credits:
    """Terms whose lower tiers cost more, shares and amounts mixed."""
    fee = draw(st.integers(1, 10**8).map(lambda n: Decimal(n) / 1000))
    bounds = sorted(draw(st.sets(share(50_000, 99_990), min_size=1, max_size=4)), reverse=True)
    costs = sorted(draw(st.lists(share(1, 120_000), min_size=len(bounds), max_size=len(bounds))))
    tiers = []
    for below, cost in zip(bounds, costs, strict=True):
        if draw(st.booleans()):
            tiers.append(CreditTier(below=below, share_of_fee=cost))
        else:
            tiers.append(CreditTier(below=below, amount=fee * cost))
    rule = draw(
        st.none()
        | st.builds(RepeatRule, multiplier=share(100_000, 300_000), within=st.integers(1, 3), compounding=st.booleans())
    )
    back = draw(
        st.none() | st.builds(EarnBack, windows=st.integers(1, 3), reach=share(90_000, 99_995), share=share(0, 100_000))
    )
    return Credits(
        fee_per_period=fee,
        tiers=tuple(tiers),
        cap_share=draw(share(0, 100_000)),
        cap_per_year=draw(st.none() | st.integers(0, 300).map(lambda n: fee * n / 100)),
        repeat=rule,
        earn_back=back,
        claim_within=draw(st.none() | st.just(timedelta(days=30))),
        termination=draw(st.none() | st.builds(Termination, misses=st.integers(1, 3), within=st.integers(1, 6))),
        joint=draw(st.booleans()),
        per_hour_share=draw(st.just(Decimal(0)) | share(1, 20_000)),
    )


def objective(name: str, by_time: bool, rounding: Rounding | None = None) -> Objective:
    return Objective(
        name=name,
        service="s",
        indicator=AvailabilityIndicator(metric="up") if by_time else RatioIndicator(total="all", good="good"),
        target=Decimal("0.999"),
        window=CalendarWindow(unit="month", zone="Europe/Berlin"),
        rounding=rounding,
    )


@st.composite
def agreements(draw: st.DrawFn) -> Agreement:
    start = draw(st.dates(date(2026, 8, 1), date(2026, 12, 31)))
    until = draw(st.none() | st.dates(date(2027, 1, 1), date(2027, 6, 30)))
    by_time = draw(st.booleans())
    return Agreement(
        id="agreement",
        kind=draw(st.sampled_from(AgreementKind)),
        service="s",
        customer="c",
        provider="p",
        objectives=tuple(objective(name, by_time) for name in "ab"[: draw(st.integers(1, 2))]),
        valid_from=start,
        valid_until=until,
        currency=draw(st.sampled_from(CURRENCIES)),
        credits=draw(ladders()),
    )


PERIODS = closed_periods(
    CalendarWindow(unit="month", zone="Europe/Berlin"),
    since=datetime(2026, 9, 30, tzinfo=UTC),
    as_of=datetime(2027, 5, 5, tzinfo=UTC),
)


def judged(slo: Objective, period: Period, bad: int, unknown: int, final: bool = True) -> Attainment:
    """100 slices (unknown ones among them) of 10,000 events, or of hours of the window; by the rules of docs/."""
    known = 100 - unknown
    by_time = isinstance(slo.indicator, AvailabilityIndicator)
    whole = (period.end - period.start) // timedelta(microseconds=1) // 100 if by_time else 10_000
    total = whole * known
    lost = total * bad // 1_000_000
    good = total - lost
    lower, upper = Fraction(good, 100 * whole), Fraction(good + unknown * whole, 100 * whole)
    target = Fraction(slo.target)
    if 100 * known >= 95 * 100:
        met, status = Fraction(good, total) >= target, AttainmentStatus.BREACHED
    else:
        met, status = lower >= target, AttainmentStatus.UNDETERMINED
        status = status if upper >= target else AttainmentStatus.BREACHED

    def decimal(x: Fraction) -> Decimal:
        return Context(prec=28).divide(Decimal(x.numerator), Decimal(x.denominator))

    return Attainment(
        service="s",
        agreement="agreement",
        objective=slo.name,
        period=period,
        target=slo.target,
        good=good,
        total=total,
        known_slices=known,
        elapsed_slices=100,
        planned_slices=100,
        value=decimal(Fraction(good, total)),
        lower=decimal(lower),
        upper=decimal(upper),
        status=AttainmentStatus.MET if met else status,
        as_of=period.end,
        final=final,
        provisional=not final,
        unit="microseconds" if by_time else "events",
    )


BAD = st.sampled_from([0, 0, 100, 1000, 1001]) | st.integers(0, 600_000)
"""Bad events of a million."""
DELIVERED = st.lists(
    st.tuples(BAD, st.sampled_from([0, 0, 0, 5, 6, 30])), min_size=2 * len(PERIODS), max_size=2 * len(PERIODS)
)


def delivered(agreement: Agreement, given_: list[tuple[int, int]], windows: int = len(PERIODS)) -> list[Attainment]:
    return [
        judged(slo, period, *given_[i * len(PERIODS) + j])
        for i, slo in enumerate(agreement.objectives)
        for j, period in enumerate(PERIODS[:windows])
    ]


def fields(line: CreditLine, without: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in vars(line).items() if name not in without}


@QUICK
@given(agreements(), DELIVERED)
def test_never_negative_never_above_a_cap(agreement: Agreement, given_: list[tuple[int, int]]) -> None:
    terms = agreement.credits
    assert terms is not None
    windows: dict[Period, Fraction] = defaultdict(Fraction)
    years: dict[int, Fraction] = defaultdict(Fraction)
    caps: dict[Period, Fraction] = {}
    unit = Fraction(1, 10 ** -int(from_units(0, agreement.currency).as_tuple().exponent))
    for line in credit_statement(agreement, delivered(agreement, given_), as_of=FAR):
        assert 0 <= line.low <= line.due <= line.high
        assert 0 <= line.earned_back <= line.capped <= line.gross
        assert line.due == line.capped - line.earned_back
        assert line.due.as_tuple().exponent == from_units(0, agreement.currency).as_tuple().exponent
        windows[line.period] += Fraction(line.capped)
        caps[line.period] = Fraction(line.fee) * Fraction(terms.cap_share)
        years[(line.period.end - timedelta(days=1)).year] += Fraction(line.capped)
    for period, paid in windows.items():
        assert paid <= caps[period] + unit / 2  # a cap is an amount of money: half a unit goes up
    if terms.cap_per_year is not None:
        for paid in years.values():
            assert paid <= Fraction(terms.cap_per_year) + unit / 2


@QUICK
@given(agreements(), DELIVERED, st.integers(0, 2 * len(PERIODS) - 1), BAD)
def test_a_lower_attainment_never_pays_less(
    agreement: Agreement, given_: list[tuple[int, int]], which: int, more: int
) -> None:
    bad, unknown = given_[which]
    worse = list(given_)
    worse[which] = (max(bad, more), unknown)
    before = credit_statement(agreement, delivered(agreement, given_), as_of=FAR)
    after = credit_statement(agreement, delivered(agreement, worse), as_of=FAR)
    # All gross credits, so the multiplied ones after it too; caps only move money between the lines of a year.
    assert all(b.gross <= a.gross for b, a in zip(before, after, strict=True))
    assert sum(b.capped for b in before) <= sum(a.capped for a in after)


@QUICK
@given(agreements(), DELIVERED, st.randoms(use_true_random=False))
def test_order_of_tiers_and_of_attainments_is_irrelevant(
    agreement: Agreement, given_: list[tuple[int, int]], shuffler: Any
) -> None:
    assert agreement.credits is not None
    attainments = delivered(agreement, given_)
    expected = credit_statement(agreement, attainments, as_of=FAR)
    tiers = list(agreement.credits.tiers)
    shuffler.shuffle(tiers)
    shuffler.shuffle(attainments)
    shuffled = replace(agreement, credits=replace(agreement.credits, tiers=tuple(tiers)))
    assert credit_statement(shuffled, attainments, as_of=FAR) == expected


@QUICK
@given(agreements(), DELIVERED, st.integers(0, 500))
def test_sums_reconcile(agreement: Agreement, given_: list[tuple[int, int]], days: int) -> None:
    as_of = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=days)
    lines = credit_statement(agreement, delivered(agreement, given_), as_of=as_of)
    for total in credit_totals(lines):
        assert total.lines == len(lines)
        assert total.due == total.capped - total.earned_back == total.payable + total.receivable
        assert total.due == sum(Fraction(line.due) for line in lines)
        assert total.low <= total.due <= total.high
    claimable = receivables(lines, as_of)
    ends = [line.claim_by or date.max for line in claimable]
    assert ends == sorted(ends)
    ours = agreement.kind is AgreementKind.UC
    assert {id(line) for line in claimable if line.due} == {
        id(line) for line in lines if ours and line.due and line.claim is not ClaimStatus.LAPSED
    }


@QUICK
@given(agreements(), DELIVERED, st.integers(0, len(PERIODS)))
def test_a_statement_of_a_prefix_is_the_prefix_but_for_earn_backs(
    agreement: Agreement, given_: list[tuple[int, int]], windows: int
) -> None:
    assert agreement.credits is not None
    whole = credit_statement(agreement, delivered(agreement, given_), as_of=FAR)
    part = credit_statement(agreement, delivered(agreement, given_, windows), as_of=FAR)
    without = EARN_BACK_FIELDS if agreement.credits.earn_back else ()
    assert [fields(line, without) for line in part] == [fields(line, without) for line in whole[: len(part)]]
    for before, after in zip(part, whole, strict=False):
        assert before.due >= after.due  # an earn-back only takes off
        if before.claim in (ClaimStatus.NONE, ClaimStatus.AUTOMATIC):
            assert before == after  # what was settled stays


@QUICK
@given(agreements(), DELIVERED)
def test_one_window_alone_is_the_credit_due(agreement: Agreement, given_: list[tuple[int, int]]) -> None:
    """Of a whole window without anything that depends on others, the statement is `credit_due`."""
    assert agreement.credits is not None
    plain = replace(agreement.credits, repeat=None, earn_back=None, cap_per_year=None)
    slo = agreement.objectives[0]
    alone = replace(
        agreement, objectives=(slo,), credits=plain, valid_from=date(2020, 1, 1), valid_until=date(2030, 1, 1)
    )
    for period, (bad, _) in zip(PERIODS, given_, strict=False):
        a = judged(slo, period, bad, 0)
        assert a.value is not None
        by_hour = bool(plain.per_hour_share) and a.unit == "microseconds"
        beyond = max(Fraction(0), a.bad - (1 - Fraction(slo.target)) * a.total) if by_hour else None
        (line,) = credit_statement(alone, [a], as_of=FAR)
        assert line.due == credit_due(plain, a.value, currency=alone.currency, beyond=beyond)


@QUICK
@given(agreements(), st.dates(date(2027, 2, 27), date(2027, 4, 1)))
def test_fees_of_two_versions_make_one_fee(agreement: Agreement, last: date) -> None:
    """An agreement replaced within a window (of 743 h) costs what one would have cost."""
    assert agreement.credits is not None
    march = next(p for p in PERIODS if p.label == "2027-03")
    a = judged(agreement.objectives[0], march, 5000, 0)
    old = replace(agreement, valid_from=date(2026, 1, 1), valid_until=last)
    new = replace(agreement, valid_from=last + timedelta(days=1), valid_until=None)
    lines = [*credit_statement(old, [a], as_of=FAR), *credit_statement(new, [a], as_of=FAR)]
    assert abs(sum(Fraction(line.fee) for line in lines) - Fraction(agreement.credits.fee_per_period)) < Fraction(
        1, 10**18
    )


ROUNDINGS = st.none() | st.builds(
    Rounding, decimals=st.integers(0, 3), mode=st.sampled_from(["half_up", "half_even", "down", "up"])
)


@QUICK
@given(ladders(), ROUNDINGS, st.sampled_from(CURRENCIES), st.lists(st.integers(0, 400_000), min_size=1, max_size=40))
def test_tiers_on_paths_are_the_credit_due(
    terms: Credits, rounding: Rounding | None, currency: str, bad: list[int]
) -> None:
    total = 1_000_000
    # All bounds themselves and one event to either side of them.
    at = [int((1 - tier.below) * total) for tier in terms.tiers]
    counts = np.array(sorted({*bad, *(b + d for b in at for d in (-1, 0, 1))}))
    slo = objective("a", by_time=False, rounding=rounding)
    agreement = Agreement(
        id="agreement",
        kind=AgreementKind.SLA,
        service="s",
        customer="c",
        provider="p",
        objectives=(slo,),
        valid_from=date(2026, 1, 1),
        valid_until=None,
        currency=currency,
        credits=terms,
    )
    on_paths = credits_on_paths(agreement, 1.0 - counts / total)
    for b, credit in zip(counts, on_paths, strict=True):
        exact = rounded_share(Fraction(total - int(b), total), rounding)
        attainment = Context(prec=28).divide(Decimal(exact.numerator), Decimal(exact.denominator))
        assert credit == float(credit_due(terms, attainment, currency=currency))


@QUICK
@given(ladders(), st.sampled_from(CURRENCIES), st.lists(st.integers(0, 100 * 3600), min_size=1, max_size=40))
def test_hours_on_paths_are_the_credit_due(terms: Credits, currency: str, down: list[int]) -> None:
    """720 hours at 99.9 %: 2,592 s are the budget; seconds around each begun hour."""
    by_hour = replace(terms, tiers=(), per_hour_share=terms.per_hour_share or Decimal("0.1"))
    slo = objective("a", by_time=True)
    agreement = Agreement(
        id="agreement",
        kind=AgreementKind.UC,
        service="s",
        customer="c",
        provider="p",
        objectives=(slo,),
        valid_from=date(2026, 1, 1),
        valid_until=None,
        currency=currency,
        credits=by_hour,
    )
    seconds = np.array([*down, *(2592 + 3600 * h + d for h in range(4) for d in (-1, 0, 1))], dtype=np.int64)
    total = 720 * HOUR
    paths = 1.0 - seconds * 1e6 / total
    on_paths = credits_on_paths(agreement, paths, objective=slo, total=np.full(len(seconds), float(total)))
    for s, credit in zip(seconds, on_paths, strict=True):
        beyond = max(Fraction(0), Fraction(int(s) - 2592) * 1_000_000)
        assert credit == float(credit_due(by_hour, Decimal(0), currency=currency, beyond=beyond))


@QUICK
@given(st.integers(-(10**9), 2 * 10**9), ROUNDINGS)
def test_rounding_is_decimals_own(n: int, rounding: Rounding | None) -> None:
    value = Decimal(n).scaleb(-9)
    if rounding is None:
        assert rounded_share(value, None) == Fraction(value)
        return
    modes = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN, "up": ROUND_UP}
    expected = (value * 100).quantize(Decimal(1).scaleb(-rounding.decimals), rounding=modes[rounding.mode]) / 100
    assert rounded_share(value, rounding) == Fraction(expected)


@QUICK
@given(st.integers(0, 10**12), st.sampled_from(CURRENCIES))
def test_smallest_units_are_decimals_own(n: int, currency: str) -> None:
    amount = Decimal(n).scaleb(-5)
    places = from_units(0, currency)
    expected = amount.quantize(places, rounding=ROUND_HALF_UP)
    assert from_units(to_units(Fraction(amount), currency), currency) == expected


@QUICK
@given(st.integers(99_800, 100_000), st.integers(0, 99), ROUNDINGS, st.booleans())
def test_credit_and_verdict_round_alike(n: int, rest: int, rounding: Rounding | None, strict: bool) -> None:
    good, total = 100 * n - rest, 10_000_000
    slo = replace(objective("a", by_time=False, rounding=rounding), strict=strict)
    share_ = rounded_share(Fraction(good, total), rounding)
    target = Fraction(slo.target)
    assert satisfies(slo, good, total) == (share_ > target or (share_ == target and not strict))

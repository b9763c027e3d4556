"""Composites slice by slice: section 9 of docs/attainment-rules.md on top of `reference_attainment`."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from reference_attainment import BILLION, MINUTE, Data, Outcome, _decided, _status, attain

from forecasting.terms.indicator import CompositeIndicator
from forecasting.terms.service_level import BudgetingMethod, Objective


def attain_composite(
    whole: Objective, parts: dict[str, tuple[Objective, Data]], window: tuple[int, int], as_of: int, grace: int
) -> Outcome:
    """Return what the rules make of a composite in one window."""
    assert isinstance(whole.indicator, CompositeIndicator)
    joint = whole.method is BudgetingMethod.TIMESLICES
    outcomes = {}
    for name, (part, data) in parts.items():
        own = replace(
            part,
            window=whole.window,
            time=whole.time,
            method=whole.method,
            slice_window=whole.slice_window,
            slice_target=part.slice_target or whole.slice_target,
            no_traffic=whole.no_traffic,
            no_data="unknown" if joint else whole.no_data,
        )
        outcomes[name] = attain(own, data, window, as_of, grace)
    if joint:
        return _joint(whole, list(outcomes.values()), window[1], as_of, grace)
    return _weighted(
        whole, {name: (part, outcomes[name]) for name, (part, _) in parts.items()}, window[1], as_of, grace
    )


def _joint(whole: Objective, outcomes: list[Outcome], b: int, as_of: int, grace: int) -> Outcome:
    """Timeslices: enough components good at once."""
    assert isinstance(whole.indicator, CompositeIndicator)
    assert whole.slice_window is not None
    required = whole.indicator.required or len(outcomes)
    good = counted = known = elapsed = still = 0
    closed = b <= as_of
    for start in outcomes[0].verdicts:
        found = [o.verdicts[start] for o in outcomes]
        if "open" in found:
            still += 1
            closed = False
            continue
        most = sum(v in (1, "excluded", "unknown") for v in found)
        least = sum(v in (1, "excluded") for v in found)
        if least < required <= most:
            if whole.no_data in ("unknown", "exclude"):
                still += 1
                elapsed += whole.no_data == "unknown"
                continue
            is_good = whole.no_data == "good"
        elif all(v == "excluded" for v in found):
            known, elapsed = known + 1, elapsed + 1
            continue
        else:
            is_good = least >= required
        known, elapsed, counted, good = known + 1, elapsed + 1, counted + 1, good + is_good
    u = elapsed - known
    value = lower = upper = None
    if counted:
        value, lower = Fraction(good, counted), Fraction(good, counted + u)
        upper = Fraction(good + u, counted + u)
    planned = len(outcomes[0].verdicts)
    return Outcome(
        good=good,
        total=counted,
        known=known,
        elapsed=elapsed,
        planned=planned,
        excluded=0,
        planned_minutes=planned * (whole.slice_window // MINUTE),
        value=value,
        lower=lower,
        upper=upper,
        status=_status(whole, known, u, counted, value, lower, upper, closed),
        final=closed and b + grace <= as_of,
        provisional=closed and b + grace > as_of,
        decided="open" if closed else _decided(whole, good, counted, still),
    )


def _weighted(whole: Objective, parts: dict[str, tuple[Objective, Outcome]], b: int, as_of: int, grace: int) -> Outcome:
    """RatioTimeslices and Occurrences: what each component lost, by its weight (and budget)."""
    assert isinstance(whole.indicator, CompositeIndicator)
    spent = whole.method is BudgetingMethod.OCCURRENCES
    weights = {c.objective: Fraction(c.weight) for c in whole.indicator.components}
    one = Fraction(1)
    sums: list[Fraction | None] = [one, one, one]
    silent = True
    for name, (part, o) in parts.items():
        weight = weights[name] / sum(weights.values())
        if spent:
            weight *= Fraction(whole.error_budget_share) / Fraction(part.error_budget_share)
        values: tuple[Fraction | None, ...] = (o.value, o.lower, o.upper)
        if o.value is None:
            mute = 0 < o.known == o.elapsed
            silent = silent and mute
            values = (one, one, one) if mute else (None, Fraction(0), one)
        else:
            silent = False
        sums = [None if t is None or v is None else t - weight * (1 - v) for t, v in zip(sums, values, strict=True)]
    value, lower, upper = (None, None, None) if silent else sums
    shown = [o for _, o in parts.values()]
    least = min(shown, key=lambda o: Fraction(o.known, max(o.elapsed, 1)))
    unit = 1 if spent else BILLION
    events = sum(o.total for o in shown) if spent else min(o.total for o in shown) // unit
    running = any(o.status == "running" for o in shown)
    status = "running"
    if not running:
        # The minimum sample is compared with events, the verdict with the value: both rules of section 8.
        plain = replace(whole, minimum_events=0)
        if least.known == 0:
            status = "insufficient_data"
        elif silent:
            status = _status(plain, least.known, least.elapsed - least.known, 0, None, None, None, True)
        elif events < whole.minimum_events:
            status = "insufficient_data"
        else:
            u = least.elapsed - least.known
            if value is None:  # only bounds are known, whatever the coverage
                plain, u = replace(plain, minimum_coverage=Decimal(1)), max(u, 1)
            status = _status(plain, least.known, u, 1, value or Fraction(0), lower, upper, True)
    return Outcome(
        good=0 if value is None else max(0, math.floor(value * BILLION)),
        total=0 if value is None else BILLION,
        known=least.known,
        elapsed=least.elapsed,
        planned=least.planned,
        excluded=0,
        planned_minutes=max(o.planned_minutes for o in shown),
        value=value,
        lower=lower,
        upper=upper,
        status=status,
        final=not running and b + grace <= as_of,
        provisional=not running and b + grace > as_of,
        decided="open",
    )

"""Burn rates: how fast an error budget goes, and when an alert on it holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.history.calendar import as_utc
from forecasting.history.intervals import from_micros, micros
from forecasting.service_levels.attainment import as_decimal
from forecasting.service_levels.events import Events
from forecasting.service_levels.slices import judged_slices
from forecasting.service_levels.sums import running, safe
from forecasting.terms.alerting import Alert, AlertPolicy, BurnRate, BurnRateCondition
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.service_level import Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_WORKBOOK = (
    ("fast-burn", Decimal("0.02"), timedelta(hours=1), timedelta(minutes=5), "page"),
    ("medium-burn", Decimal("0.05"), timedelta(hours=6), timedelta(minutes=30), "page"),
    ("slow-burn", Decimal("0.10"), timedelta(days=1), timedelta(hours=2), "ticket"),
    ("steady-burn", Decimal("0.10"), timedelta(days=3), timedelta(hours=6), "ticket"),
)


def recommended_conditions(window_days: int = 30) -> tuple[BurnRateCondition, ...]:
    """Return the four alerts of the SRE workbook: share of the budget × window ÷ long lookback.

    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 5, table 5-8 (multiwindow, multi-burn-rate).

    Examples
    --------
    >>> [str(c.threshold) for c in recommended_conditions()]
    ['14.4', '6', '3', '1']
    """
    found = []
    for name, share, long, short, severity in _WORKBOOK:
        factor = (
            Fraction(share) * (timedelta(days=window_days) // timedelta(minutes=5)) / (long // timedelta(minutes=5))
        )
        threshold = as_decimal(factor.numerator, factor.denominator)
        found.append(
            BurnRateCondition(
                name=name,
                threshold=threshold,
                lookback=long,
                short_lookback=short,
                severity=severity,
                description=f"{100 * share:f} % of the budget in {long // timedelta(hours=1)} h",
            )
        )
    return tuple(found)


def refuse_impossible(objective: Objective, condition: BurnRateCondition) -> None:
    """Refuse a condition that can never be exceeded: with everything bad the burn rate is 1 ÷ error budget.

    Raises
    ------
    InputError
        threshold × (1 − target) is 1 or more.

    Examples
    --------
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.9"), window=CalendarWindow(unit="month", zone="UTC"))
    >>> fast = recommended_conditions()[0]
    >>> refuse_impossible(slo, fast)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    forecasting.terms.errors.InputError: ...
    """
    if condition.threshold * objective.error_budget_share >= 1:
        fastest = f"{as_decimal(1, Fraction(objective.error_budget_share)):.4g}"
        raise InputError(
            argument=f"threshold of {condition.name} for objective {objective.name}",
            came=f"{condition.threshold}: it can never be exceeded, because with everything bad the budget of "
            f"{100 * objective.error_budget_share:f} % burns at {fastest}",
            allowed=f"below {fastest}",
            try_instead="a lower threshold, or a longer lookback",
        )


def burn_rates(
    objective: Objective, events: Events, lookback: timedelta, at: Sequence[datetime]
) -> tuple[BurnRate, ...]:
    """Return the burn rate over a lookback at each instant.

    The slices that lie wholly in [instant − lookback, instant) count: time slices where the method counts them, else
    data slices.

    Parameters
    ----------
    objective : Objective
    events : Events
        From `events_of`.
    lookback : timedelta
    at : sequence of datetime
        UTC instants.

    Examples
    --------
    >>> from datetime import UTC
    >>> from forecasting.terms.history import Metric, MetricKind, Series
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
    >>> begin, hour = datetime(2027, 3, 1, tzinfo=UTC), timedelta(hours=1)
    >>> grid = Series(service="a", metric=Metric(name="calls", kind=MetricKind.COUNT), start=begin, step=hour,
    ...               values=np.zeros(2))
    >>> starts = np.array(["2027-03-01T00", "2027-03-01T01"], "datetime64[us]")
    >>> events = Events(series=grid, starts=starts, ends=starts + np.timedelta64(1, "h"), good=np.array([1000, 856]),
    ...                 total=np.array([1000, 1000]), known=np.array([True, True]))
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.99"), window=CalendarWindow(unit="month", zone="UTC"))
    >>> burn_rates(slo, events, hour, [begin + 2 * hour])[0].rate
    Decimal('14.4')
    """
    counted = _Counted.of(objective, events)
    now = np.array([micros(as_utc(a)) for a in at], dtype=np.int64)
    low, high = counted.spans(now, lookback)
    good, total, known, eligible = (
        (s[high] - s[low]).tolist() for s in (counted.good, counted.total, counted.known, counted.eligible)
    )
    budget = Fraction(objective.error_budget_share)
    return tuple(
        BurnRate(
            service=objective.service,
            objective=objective.name,
            at=instant,
            lookback=lookback,
            good=g,
            total=t,
            rate=as_decimal(Fraction(t - g), t * budget) if t else None,
            coverage=k / e if e else 0.0,
        )
        for instant, g, t, k, e in zip(at, good, total, known, eligible, strict=True)
    )


class _Counted:
    """Cumulative sums of what burns the budget."""

    def __init__(self, events: Events) -> None:
        counts = np.ones(len(events.good), dtype=np.bool_) if events.eligible is None else events.eligible
        known = events.known & counts
        self.starts, self.ends = events.starts_us, events.ends_us
        self.good, self.total = (running(np.where(known, x, 0)) for x in (events.good, events.total))
        self.known, self.eligible = running(known), running(counts)

    @classmethod
    def of(cls, objective: Objective, events: Events) -> _Counted:
        judged = judged_slices(objective, events)
        return cls(events if isinstance(judged, Excuse) else judged)

    def spans(self, now: Counts, lookback: timedelta) -> tuple[Counts, Counts]:
        """Return the first and the last slice (exclusive) of the lookback before each instant."""
        low = np.searchsorted(self.starts, now - lookback // timedelta(microseconds=1), side="left")
        high = np.searchsorted(self.ends, now, side="right")
        return low, np.maximum(low, high)

    def burning(self, now: Counts, lookback: timedelta, limit: Fraction, strict: bool) -> Flags:
        """Say at each instant whether bad ÷ total over the lookback reaches (strict: exceeds) a share, exactly."""
        low, high = self.spans(now, lookback)
        total = self.total[high] - self.total[low]
        bad = total - (self.good[high] - self.good[low])
        left, right = safe(limit.denominator, bad), safe(limit.numerator, total)
        return np.asarray((total > 0) & ((left > right) if strict else (left >= right)), dtype=np.bool_)

    def peak(self, now: Counts, lookback: timedelta) -> Fraction:
        """Return the largest bad ÷ total over the lookbacks before some instants."""
        low, high = self.spans(now, lookback)
        total: NDArray[Any] = self.total[high] - self.total[low]
        bad = total - (self.good[high] - self.good[low])
        share = np.divide(bad.astype(float), total.astype(float), out=np.zeros(len(now)), where=total > 0)
        near = np.flatnonzero(share >= share.max() * (1 - 1e-12))
        pairs = {(int(bad[k]), int(total[k])) for k in near.tolist() if total[k] > 0}
        return max((Fraction(b, t) for b, t in pairs), default=Fraction(0))


def alerts(objective: Objective, events: Events, policy: AlertPolicy, *, as_of: datetime) -> tuple[Alert, ...]:
    """Return the stretches in which a condition of a policy held, judged at the end of every slice up to `as_of`.

    A condition holds where the burn rates of its long and (if there is one) short lookback both satisfy it, without a
    break for `alert_after`. The comparison is exact.

    Parameters
    ----------
    objective : Objective
    events : Events
        From `events_of`.
    policy : AlertPolicy
    as_of : datetime
        UTC instant; slices that end after it are not looked at.

    Returns
    -------
    tuple of Alert
        In order of start, then of the conditions.

    Raises
    ------
    InputError
        A condition can never be exceeded (see `refuse_impossible`).
    """
    counted = _Counted.of(objective, events)
    ends = counted.ends[counted.ends <= micros(as_utc(as_of))]
    budget = Fraction(objective.error_budget_share)
    found: list[Alert] = []
    for condition in policy.conditions:
        refuse_impossible(objective, condition)
        limit = Fraction(condition.threshold) * budget
        holds = counted.burning(ends, condition.lookback, limit, condition.op == "gt")
        if condition.short_lookback is not None:
            holds &= counted.burning(ends, condition.short_lookback, limit, condition.op == "gt")
        edges = np.diff(np.concatenate(([0], holds.astype(np.int8), [0])))
        for k, j in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
            begun = int(np.searchsorted(ends, ends[k] + condition.alert_after // timedelta(microseconds=1)))
            if begun >= j:
                continue
            found.append(
                Alert(
                    service=objective.service,
                    objective=objective.name,
                    policy=policy.name,
                    condition=condition.name,
                    start=from_micros(int(ends[begun])),
                    end=from_micros(int(ends[j])) if j < len(ends) else None,
                    peak=as_decimal(counted.peak(ends[begun:j], condition.lookback), budget),
                    severity=condition.severity,
                )
            )
    return tuple(sorted(found, key=lambda alert: alert.start))

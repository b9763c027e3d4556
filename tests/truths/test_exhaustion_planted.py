"""Dates at which a stock passes its limit are found again: 200 series with a known future, from use to date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from forecasting.capacity.growth import growth_forecast
from forecasting.capacity.requirement import assess
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import GrowingStockModel, Resource
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series

DAY = timedelta(days=1)
AS_OF = datetime(2027, 1, 1, tzinfo=UTC)
METRIC = Metric(name="tb", kind=MetricKind.NON_NEGATIVE)
HORIZON = 540


def _planted(seed: int) -> tuple[np.ndarray, float, int]:
    """Return 13 to 36 months of use, a limit, and the days after the cut-off on which the limit is really passed.

    A third grows in a straight line, a third by a factor, a third with a yearly season; by 10 to 50 % a year, with
    noise of .2 to 1 % that is alike from day to day, and less use at weekends.
    """
    rng = np.random.default_rng(seed)
    past, left = int(rng.integers(400, 1100)), int(rng.integers(60, 330))
    t = np.arange(past + left + 200)
    rate = rng.uniform(0.1, 0.5) / 365
    kind = seed % 3
    base = np.exp(rate * t) if kind == 1 else 1 + rate * t
    if kind == 2:
        base = base + 0.02 * np.sin(2 * np.pi * t / 365.25 + rng.uniform(0, 6))
    noise = np.zeros(len(t))
    shocks = rng.standard_normal(len(t)) * rng.uniform(0.002, 0.01)
    memory = rng.uniform(0, 0.7)
    for k in range(1, len(t)):
        noise[k] = memory * noise[k - 1] + shocks[k]
    weekend = rng.uniform(0, 0.01) * np.where(t % 7 >= 5, -1.0, 0.0)
    level = 1000 * (base + noise + weekend)
    limit = float(1000 * base[past + left])
    return level[:past], limit, int(np.argmax(level[past:] >= limit))


def _found(seed: int) -> tuple[float, bool, int]:
    """Return the relative error of the median date, whether the 80 % interval holds the truth, and the truth."""
    use, limit, truth = _planted(seed)
    series = Series(
        service="s", metric=METRIC, start=AS_OF - len(use) * DAY, step=DAY, zone="UTC", values=use
    )  # fmt: skip
    plain = Forecast(
        service="s", metric=METRIC, step=DAY, zone="UTC", start=AS_OF, paths=np.full((800, 30), use[-1]), model="flat",
        cut_off=AS_OF, seed=seed,
    )  # fmt: skip
    grown = growth_forecast(plain, series, as_of=AS_OF, horizon=HORIZON)
    assert isinstance(grown, Forecast)
    stock = Resource(
        name="stock", services=("s",), metric_service="s", metric="tb", model=GrowingStockModel(), unit="TB",
        units_now=Decimal(f"{limit:.6f}"),
    )  # fmt: skip
    need = assess(stock, series, grown, as_of=AS_OF)
    assert isinstance(need, Requirement)

    def days(when: object) -> int:
        return HORIZON if when is None else (when - AS_OF.date()).days  # type: ignore[operator]

    early, middle, late = (days(d) for d in (need.exhaustion_p10, need.exhaustion_p50, need.exhaustion_p90))
    return abs(middle - truth) / truth, early <= truth <= late, truth


def test_planted_run_out_dates_are_found_again() -> None:
    answers = [_found(seed) for seed in range(200)]
    errors = np.array([e for e, _, _ in answers])
    covered = np.mean([inside for _, inside, _ in answers])
    print(f"\n200 planted dates: median error {np.median(errors):.1%} of the time remaining, inside 80 % {covered:.1%}")
    assert np.median(errors) <= 0.10
    assert covered >= 0.75

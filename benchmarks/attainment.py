"""How long attainment takes: events and attainments of many objectives from arrays in memory.

python benchmarks/attainment.py            # 1,000 objectives hourly for 36 months, 100 by the minute for a year
python benchmarks/attainment.py --quick    # a tenth of the objectives
"""

from __future__ import annotations

import resource
import sys
import time as clock
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import numpy as np

from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.service_level import (
    BudgetingMethod,
    CalendarWindow,
    Objective,
    RatioIndicator,
    RollingWindow,
)
from forecasting.terms.service_time import (
    CalendarVersion,
    Exclusion,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ZONE = "Europe/Berlin"


def service_time() -> ServiceTime:
    """Return Monday to Saturday 6 to 22 but on holidays, maintenance every Sunday, and twenty exclusions."""
    week = tuple((LocalSpan(start=time(6), end=time(22)),) if d < 6 else () for d in range(7))
    return ServiceTime(
        hours=ServiceCalendar(name="shop", zone=ZONE, versions=(CalendarVersion(weekly=week, country="DE"),)),
        exclusions=tuple(
            Exclusion(start=START + 500 * k * HOUR, end=START + (500 * k + 3) * HOUR, reason="agreed")
            for k in range(20)
        ),
        maintenance=(MaintenanceWindow(weekdays=(6,), span=LocalSpan(start=time(2), end=time(4)), zone=ZONE),),
    )


def histories(objectives: int, slices: int, step: timedelta) -> Iterator[History]:
    """Yield the history of one service after another: counts with a few gaps."""
    random = np.random.default_rng(1)
    metrics = [Metric(name=name, kind=MetricKind.COUNT, step=step) for name in ("total", "good")]
    for _ in range(objectives):
        total = random.integers(200, 600, slices).astype(float)
        good = total - (random.random(slices) < 0.3)
        good[random.integers(0, slices, slices // 1000)] = np.nan
        series = {
            ("a", m.name): Series(service="a", metric=m, start=START, step=step, values=v)
            for m, v in zip(metrics, (total, good), strict=True)
        }
        yield History(cut_off=START + slices * step, series=series)


def measure(name: str, objective: Objective, objectives: int, slices: int, step: timedelta) -> None:
    """Print one line: seconds and CPU seconds from arrays to attainments, the making of the data left out."""
    masks, seconds, busy, windows = TimeMasks(), 0.0, 0.0, 0
    for history in histories(objectives, slices, step):
        begin, cpu = clock.perf_counter(), clock.process_time()
        events = events_of(objective, history, masks=masks)
        assert isinstance(events, Events)
        periods = closed_periods(objective.window, since=START, as_of=history.cut_off)
        windows += len(attainments(objective, events, periods, as_of=history.cut_off, masks=masks))
        seconds += clock.perf_counter() - begin
        busy += clock.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:<46}{objectives:>6}{slices:>9,}{windows:>9,}{seconds:>9.1f} s{busy:>9.1f} s{peak:>8.2f} GiB")


def main() -> None:
    share = 10 if "--quick" in sys.argv else 1
    base = Objective(
        name="o",
        service="a",
        indicator=RatioIndicator(total="total", good="good"),
        target=Decimal("0.999"),
        window=CalendarWindow(unit="month", zone=ZONE),
    )
    sliced = {"method": BudgetingMethod.TIMESLICES, "slice_target": Decimal("0.99")}
    ratios = {"method": BudgetingMethod.RATIO_TIMESLICES}
    timed = replace(base, time=service_time())
    rolling = replace(timed, window=RollingWindow(length=timedelta(days=28), zone=ZONE))
    hourly, minutes = 36 * 30 * 24 + 20 * 24, 366 * 1440
    print(f"{'':<46}{'SLOs':>6}{'slices':>9}{'windows':>9}{'time':>11}{'CPU':>11}{'peak':>12}")
    for name, objective in (
        ("hourly, Occurrences", base),
        ("hourly, Occurrences, hours and exclusions", timed),
        ("hourly, Timeslices of 2 h, hours", replace(timed, slice_window=2 * HOUR, **sliced)),
        ("hourly, RatioTimeslices of 2 h, hours", replace(timed, slice_window=2 * HOUR, **ratios)),
        (
            "hourly, RatioTimeslices, rolling 28 d, carry",
            replace(rolling, slice_window=HOUR, no_traffic="carry", **ratios),
        ),
    ):
        measure(name, objective, 1000 // share, hourly, HOUR)
    for name, objective in (
        ("by the minute, Occurrences", base),
        ("by the minute, Occurrences, hours and exclusions", timed),
        ("by the minute, Timeslices of 5 min, hours", replace(timed, slice_window=5 * MINUTE, **sliced)),
        ("by the minute, RatioTimeslices of 5 min, hours", replace(timed, slice_window=5 * MINUTE, **ratios)),
    ):
        measure(name, objective, 100 // share, minutes, MINUTE)


if __name__ == "__main__":
    main()

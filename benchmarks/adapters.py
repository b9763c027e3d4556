"""The product's default path as two functions that a benchmark harness can call beside other forecasters.

`forecast` takes series and returns quantiles; `forecast_breach` takes good and total events per slice and returns
P(objective missed). Nothing here knows a data set, a series or a test window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting import Settings
from forecasting.forecasts.engine import ForecastTask, forecast_quantiles
from forecasting.service_levels.breach.share_forecast import forecast_shares
from forecasting.service_levels.breach.shares import ShareHistory, Span
from forecasting.service_levels.events import events_of
from forecasting.terms.agreement import Agreement, AgreementKind
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.service_level import Objective, Period, RatioIndicator, RollingWindow
from forecasting.workflows.outlook import build_fleet, part_of, risks_of, simulate_part
from forecasting.workflows.prepare import Promise

if TYPE_CHECKING:
    import pandas as pd

DAY = timedelta(days=1)
STEPS = {
    "min": timedelta(minutes=1), "5min": timedelta(minutes=5), "30min": timedelta(minutes=30),
    "h": timedelta(hours=1), "D": DAY, "7D": 7 * DAY, "W": 7 * DAY, "W-SUN": 7 * DAY, "MS": 30 * DAY,
}  # fmt: skip
"""Step of a pandas frequency; a month counts as 30 days (the engine then takes 12 as its season)."""
YEARS = {"D": 364, "MS": 12, "W": 52, "W-MON": 52, "W-SUN": 52, "7D": 52}
"""Slices in a year."""


# ---------------------------------------------------------------- demand
def forecast(
    train: pd.DataFrame, h: int, freq: str, seasons: Sequence[int], quantiles: Sequence[float]
) -> pd.DataFrame:
    """Forecast every series `h` slices ahead with the default models and settings.

    Parameters
    ----------
    train : DataFrame
        unique_id, ds, y on a regular grid.
    h : int
    freq : str
        One of `STEPS`.
    seasons : sequence of int
        Not used: the product takes its seasons from the step.
    quantiles : sequence of float

    Returns
    -------
    DataFrame
        unique_id, ds, mean and one column per quantile named ``str(q)``.
    """
    import pandas as pd

    settings, series, last = Settings(), [], []
    for name, own in train.groupby("unique_id", sort=False, observed=True):
        y = own["y"].to_numpy(dtype=float)
        kind = MetricKind.REAL if np.nanmin(y) < 0 else MetricKind.NON_NEGATIVE
        first = own["ds"].iloc[0].to_pydatetime()
        if STEPS[freq] >= DAY:
            first = datetime(first.year, first.month, first.day)  # noqa: DTZ001  (naive here, UTC below)
        last.append(own["ds"].iloc[-1])
        series.append(
            Series(
                service=str(name),
                metric=Metric(name="y", kind=kind, step=STEPS[freq]),
                start=first.replace(tzinfo=UTC),
                step=STEPS[freq],
                values=y,
            )
        )
    task = ForecastTask(
        series=tuple(series),
        horizon=h,
        models=settings.models,
        countries=("",) * len(series),
        n_paths=settings.paths,
        seed=settings.seed,
        origins=settings.origins,
        half_life_days=settings.error_half_life_days,
        mean_block_days=settings.mean_block_days,
    )
    parts = []
    for one, end, answer in zip(series, last, forecast_quantiles(task, list(quantiles)), strict=True):
        if isinstance(answer, Excuse):  # where the product declines, all past values stand for every slice to come
            answer = np.tile(np.nanquantile(one.values, list(quantiles)), (h, 1))
        ds = pd.date_range(end, periods=h + 1, freq=freq)[1:]
        levels = dict(zip(map(str, quantiles), answer.T, strict=True))
        parts.append(pd.DataFrame({"unique_id": one.service, "ds": ds, "mean": answer.mean(axis=1), **levels}))
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------- breach risk
def forecast_breach(
    history: pd.DataFrame,
    target: float | Mapping[str, float],
    window_start: pd.Timestamp,
    window_end: pd.Timestamp,
    as_of: pd.Timestamp,
    step: str,
    seed: int,
) -> dict[str, float]:
    """P(share of good in the window below the target) by service.

    Daily slices take the path of the product's own replay: badness of the fleet, share forecast, worlds, traffic as on
    the last four same weekdays. Longer slices, and days of services with too little history for a path, get the share
    forecast by itself.

    Parameters
    ----------
    history : DataFrame
        service, at, total, good: every slice that ended by `as_of`.
    target : float or mapping of str to float
    window_start, window_end : Timestamp
        Half-open window.
    as_of : Timestamp
    step : str
        pandas offset of a slice.
    seed : int
    """
    targets = {str(s): target[s] if isinstance(target, Mapping) else target for s in history["service"].unique()}
    start, end, cut = (t.to_pydatetime().replace(tzinfo=UTC) for t in (window_start, window_end, as_of))
    found: dict[str, float] = {}
    if step == "D":
        found = _daily(history, targets, Period(start=start, end=end, label="window"), cut, seed)
    if len(found) < len(targets):
        found = _slices(history, targets, window_start, window_end, as_of, step, seed) | found
    return found


def _daily(
    history: pd.DataFrame, targets: Mapping[str, float], period: Period, as_of: datetime, seed: int
) -> dict[str, float]:
    """P(miss) of the services whose daily history is long enough."""
    import pandas as pd

    metrics = {name: Metric(name=name, kind=MetricKind.COUNT, step=DAY) for name in ("good", "total")}
    indicator = RatioIndicator(total="total", good="good")
    window = RollingWindow(length=period.end - period.start)
    settings = replace(Settings(), seed=Settings().seed + seed)
    promises = []
    for name in targets:
        own = history[history["service"] == name].set_index("at").sort_index()
        days = pd.date_range(own.index[0].normalize(), as_of.replace(tzinfo=None) - DAY, freq="D")
        grid = own[["good", "total"]].reindex(days)
        series = {
            (name, metric): Series(
                service=name, metric=made, start=days[0].to_pydatetime().replace(tzinfo=UTC), step=DAY,
                values=grid[metric].to_numpy(dtype=float).round(),
            )
            for metric, made in metrics.items()
        }  # fmt: skip
        goal = Decimal(repr(float(targets[name])))
        objective = Objective(name="kept", service=name, indicator=indicator, target=goal, window=window)
        agreement = Agreement(
            id=f"sla-{name}", kind=AgreementKind.SLA, service=name, customer="", provider="",
            objectives=(objective,), valid_from=date(1970, 1, 1), valid_until=None,
        )  # fmt: skip
        events = events_of(objective, History(cut_off=as_of, series=series))
        promises.append(Promise(agreement=agreement, objective=objective, events=events, coming=(period,)))
    catalogue = Catalogue(name="benchmark", services={name: Service(name=name) for name in targets})
    fleet = build_fleet(
        promises, catalogue, as_of=as_of, until=period.end, settings=settings, paths=settings.replay_paths
    )
    return {
        promise.objective.service: risks_of(
            promise, fleet, simulate_part(fleet, part, demand=None), windows_known=12, basis=""
        )[0].probability
        for promise in promises
        if (part := part_of(promise.objective)) in fleet.members
    }


def _slices(
    history: pd.DataFrame,
    targets: Mapping[str, float],
    window_start: pd.Timestamp,
    window_end: pd.Timestamp,
    as_of: pd.Timestamp,
    step: str,
    seed: int,
) -> dict[str, float]:
    """P(miss) where slices are weeks or months: the forecast of the share of bad by itself, without paths of days."""
    import pandas as pd

    wide = history.pivot_table(index="at", columns="service", values=["total", "good"])
    grid = pd.date_range(wide.index[0], periods=1 + len(pd.date_range(wide.index[0], as_of, freq=step)), freq=step)
    wide = wide.reindex(grid[grid < as_of])
    total, good = wide["total"][list(targets)].to_numpy().T, wide["good"][list(targets)].to_numpy().T
    known = np.isfinite(total) & np.isfinite(good) & (total > 0)
    past = ShareHistory(
        bad=np.where(known, total - good, 0.0),
        total=np.where(known, total, 0.0),
        known=known,
        year=YEARS[step],
        week=7 if step == "D" else 1,
        block=3,
        full=365 if step == "D" else 2 * YEARS[step],
    )
    span = Span(
        elapsed=int((wide.index >= window_start).sum()),
        gap=len(pd.date_range(as_of, window_start, freq=step, inclusive="left")),
        length=max(1, len(pd.date_range(max(as_of, window_start), window_end, freq=step, inclusive="left"))),
    )
    goals = np.array([[targets[name]] for name in targets])
    made = forecast_shares(past, span, goals, seed=seed)
    allowed = past.allowed(span, goals)[:, 0]
    return {name: made.probability(k, float(allowed[k])) for k, name in enumerate(targets)}

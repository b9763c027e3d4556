"""What planned events do to one forecast, event by event, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._effects_events import instant
from forecasting.forecasts.context import make_context, trim
from forecasting.forecasts.effects import Mode, estimate_effects
from forecasting.history.calendar import slice_bounds
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from forecasting.terms.covariate import Covariate, Event


@dataclass(frozen=True, kw_only=True)
class EventEffect:
    """What an event does to a forecast, or why it does nothing.

    Examples
    --------
    >>> EventEffect(name="sale", slices=7, horizon=31, size=1.86, mode="multiply", unit="orders",
    ...     known_by="learnt from 3 past events").sentence
    'sale × 1.86 on 7 of 31 slices, learnt from 3 past events'
    """

    name: str
    slices: int
    """Slices of the horizon that it touches."""
    horizon: int
    size: float | None
    """Factor or difference at its strongest; None = it is not used."""
    mode: Mode
    unit: str
    known_by: str
    """Where its size comes from, or why it is not used."""

    @property
    def sentence(self) -> str:
        """What it does, in words."""
        if self.size is None:
            return f"{self.name} is not used: {self.known_by}"
        return f"{self.brief} on {self.slices} of {self.horizon} slices, {self.known_by}"

    @property
    def brief(self) -> str:
        """Name and size."""
        if self.size is None:
            return f"{self.name} not used"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} " + (f"× {self.size:.2f}" if self.mode == "multiply" else f"{self.size:+.3g}{unit}")


def event_effects(
    series: Series,
    horizon: int,
    *,
    events: Sequence[Event],
    country: str = "",
    covariates: Sequence[Covariate] = (),
) -> tuple[EventEffect, ...]:
    """Return what each event that touches the horizon does to the forecast of the pooled model.

    Parameters
    ----------
    series : Series
        The history that it was made from.
    horizon : int
        Slices after its end.
    events : sequence of Event
        Those of the task; only what concerns this series is looked at.
    country : str
        ISO 3166 code whose public holidays were known, or empty.
    covariates : sequence of Covariate
        Those of this series.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.terms.covariate import Event
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> first, day = datetime(2027, 3, 1, tzinfo=UTC), timedelta(days=1)
    >>> s = Series(service="shop", metric=Metric(name="orders", kind=MetricKind.COUNT), start=first, step=day,
    ...     values=np.tile([5.0, 9, 9, 9, 9, 7, 3], 12))
    >>> ahead = Event(name="sale", start=first + 86 * day, end=first + 88 * day, stated=1.4)
    >>> [effect.sentence for effect in event_effects(s, 7, events=(ahead,))]
    ['sale × 1.40 on 2 of 7 slices, as stated']
    """
    trimmed, stale = trim(series)
    n, reach = len(trimmed), horizon + stale
    at = slice_bounds(trimmed.start, trimmed.step, trimmed.zone, n + reach)
    edges = at[n + stale :].astype("datetime64[us]").astype(np.int64)
    mine = [event for event in events if event.concerns(series.service, series.metric.name)]
    ahead: dict[str, int] = {}
    for event in mine:
        start, end = instant(event.start), instant(event.end)
        touched = int(((edges[:-1] < end) & (edges[1:] > start)).sum())
        if touched:
            ahead[event.name] = ahead.get(event.name, 0) + touched
    if not ahead or not n:
        return ()
    # As `forecasting.forecasts.pooled` prepares a series: the same arguments, so the same effects.
    context = make_context(trimmed, reach, country)
    skipped = int((trimmed.start - series.start) / series.step)
    found = estimate_effects(
        np.where(np.isnan(trimmed.values), np.nan, context.regular),
        n_known=n,
        season=context.season,
        seasons=context.seasons,
        covariates=tuple(replace(one, values=one.values[skipped:]) for one in covariates),
        events=mine,
        at=at[:-1],
        kind=series.metric.kind,
    )
    declined, none = dict(found.declined), 1.0 if found.mode == "multiply" else 0.0
    effects = []
    for name, slices in ahead.items():
        size, known_by = None, "nothing is known of its effect"
        if name in found.parts and name in found.known_by:
            part = found.parts[name][stale:]
            size, known_by = float(part[int(np.argmax(np.abs(part - none)))]), found.known_by[name]
        elif name in declined:
            known_by = f"{declined[name].reason} (what would help: {declined[name].what_would_help})"
        effects.append(
            EventEffect(
                name=name,
                slices=slices,
                horizon=horizon,
                size=size,
                mode=found.mode,
                unit=series.metric.unit,
                known_by=known_by,
            )
        )
    return tuple(effects)

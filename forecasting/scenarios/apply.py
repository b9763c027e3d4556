"""Apply driver effects to the sample paths of a forecast."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import slice_bounds, to_local
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import MetricKind
from forecasting.terms.scenario import DriverEffect, ResourceEffect

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = timedelta(days=1)


def apply_effects(forecast: Forecast, effects: Sequence[DriverEffect], *, seed: int) -> Forecast:
    """Return `forecast` as it would be with driver effects.

    Each path draws for itself whether a driver happens and how large it is. The draws of a driver depend on `seed` and
    its name alone, so row i is the same world in every service, and adding a driver to a scenario leaves the draws
    of the others as they were (common random numbers). Multipliers act first, then steps and trends are added; the
    order of `effects` does not matter.

    Parameters
    ----------
    forecast : Forecast
        Paths of any step; row i is world i.
    effects : sequence of DriverEffect
        Those of another service or metric are left out.
    seed : int
        Same seed, same result.

    Returns
    -------
    Forecast
        Same shape, inside the metric's bounds; `forecast` itself where no effect is meant for it.

    Raises
    ------
    InputError
        For sizes out of order, a negative multiplier, a likelihood outside 0 to 1, a negative ramp or an end that
        is not after the start.

    Examples
    --------
    >>> from datetime import UTC, date, datetime
    >>> from forecasting.terms.history import Metric
    >>> plain = Forecast(service="shop", metric=Metric(name="orders", kind=MetricKind.COUNT), step=DAY, zone="UTC",
    ...     start=datetime(2027, 2, 27, tzinfo=UTC), paths=np.full((2, 5), 100.0), model="seasonal_naive",
    ...     cut_off=datetime(2027, 2, 27, tzinfo=UTC), seed=1)
    >>> campaign = DriverEffect(driver="campaign", service="shop", metric="orders", kind="multiplier",
    ...     start=date(2027, 3, 1), low=2.0, mode=2.0, high=2.0, end=date(2027, 3, 3))
    >>> apply_effects(plain, [campaign], seed=1).paths[0]
    array([100., 100., 200., 200., 100.])
    """
    for effect in effects:
        checked(effect)
    meant = [e for e in effects if (e.service, e.metric) == (forecast.service, forecast.metric.name)]
    if not meant:
        return forecast
    days = _local_days(forecast)
    factor = np.ones_like(forecast.paths)
    added = np.zeros_like(forecast.paths)
    per_slice = 1.0
    if forecast.metric.kind is MetricKind.COUNT:
        per_slice = forecast.step / DAY
    for effect in sorted(meant, key=_order):
        size, happens = draws(effect, len(forecast.paths), seed)
        since = days - (np.datetime64(effect.start, "D") - np.datetime64(0, "D")).astype(np.float64)
        acts = since >= 0
        if effect.end is not None:
            acts &= days < (np.datetime64(effect.end, "D") - np.datetime64(0, "D")).astype(np.float64)
        world = np.where(happens[:, None] & acts[None, :], 1.0, 0.0)
        if effect.kind == "multiplier":
            factor *= 1.0 + world * (size - 1.0)[:, None] * _ramp(since, effect.ramp_days)[None, :]
        elif effect.kind == "step":
            added += world * (size * per_slice)[:, None] * _ramp(since, effect.ramp_days)[None, :]
        else:
            added += world * (size * per_slice)[:, None] * _ramped_days(since, effect.ramp_days)[None, :]
    paths = forecast.paths * factor + added
    low, high = forecast.metric.kind.bounds
    if low is not None or high is not None:
        paths = np.clip(paths, low, high)
    names = ", ".join(sorted({e.driver for e in meant}))
    return dataclasses.replace(forecast, paths=paths, model=f"{forecast.model} with {names}")


def checked(effect: DriverEffect | ResourceEffect) -> None:
    """Refuse an effect that means nothing."""
    sizes = (effect.low, effect.mode, effect.high)
    if not (np.isfinite(sizes).all() and effect.low <= effect.mode <= effect.high):
        raise InputError(
            argument=f"{effect.driver} low, mode, high",
            came=sizes,
            allowed="finite numbers in rising order",
            try_instead=str(tuple(sorted(sizes))),
        )
    if effect.kind.endswith("multiplier") and effect.low < 0:
        raise InputError(
            argument=f"{effect.driver} low", came=effect.low, allowed="a factor of 0 or more", try_instead="0.8"
        )
    if not 0 <= effect.likelihood <= 1:
        raise InputError(
            argument=f"{effect.driver} likelihood", came=effect.likelihood, allowed="0 to 1", try_instead="0.5"
        )
    if isinstance(effect, DriverEffect) and effect.ramp_days < 0:
        raise InputError(
            argument=f"{effect.driver} ramp_days", came=effect.ramp_days, allowed="0 or more", try_instead="0"
        )
    if effect.end is not None and effect.end <= effect.start:
        raise InputError(
            argument=f"{effect.driver} end",
            came=effect.end.isoformat(),
            allowed=f"after its start {effect.start.isoformat()}",
            try_instead="leave it out where the effect stays",
        )


def _order(effect: DriverEffect) -> tuple[str, ...]:
    """A fixed order, so that floating-point sums do not depend on how effects were listed."""
    return effect.driver, effect.kind, effect.start.isoformat(), repr((effect.low, effect.mode, effect.high))


def draws(
    effect: DriverEffect | ResourceEffect, paths: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return size and occurrence on each path, shape (paths,), by inverse functions of the driver's own numbers."""
    name = int.from_bytes(hashlib.sha256(effect.driver.encode()).digest()[:8], "big")
    rng = np.random.default_rng((seed, name))
    # Row by row, so that world i does not depend on how many worlds there are.
    uniform = rng.random((paths, 2))
    low, mode, high = effect.low, effect.mode, effect.high
    width = high - low
    if width == 0:
        size = np.full(paths, mode)
    else:
        u, turn = uniform[:, 1], (mode - low) / width
        rising = low + np.sqrt(u * width * (mode - low))
        falling = high - np.sqrt((1 - u) * width * (high - mode))
        size = np.where(u < turn, rising, falling)
    return size, np.asarray(uniform[:, 0] < effect.likelihood, dtype=np.bool_)


def _local_days(forecast: Forecast) -> NDArray[np.float64]:
    """Local start of every slice, in days since the epoch."""
    starts = slice_bounds(forecast.start, forecast.step, forecast.zone, forecast.horizon)[:-1]
    local = to_local(starts, forecast.zone)
    return np.asarray(local.astype("datetime64[us]").astype(np.int64) / 86_400e6, dtype=np.float64)


def _ramp(since: NDArray[np.float64], days: int) -> NDArray[np.float64]:
    """Share of the full size after `since` days, 0 to 1: day 1 of n has 1/n of it."""
    if days == 0:
        return np.ones_like(since)
    return np.clip((np.floor(since) + 1) / days, 0.0, 1.0)


def _ramped_days(since: NDArray[np.float64], days: int) -> NDArray[np.float64]:
    """Days of growth after `since` days, the slope itself growing over the ramp."""
    t = np.maximum(since, 0.0)
    if days == 0:
        return t
    return np.asarray(np.where(t < days, t * t / (2 * days), t - days / 2), dtype=np.float64)

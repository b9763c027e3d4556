"""What each of the models behind a share forecast says of the same window, beside their average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.bar import bar_of
from forecasting.service_levels.breach.rest import Rest
from forecasting.service_levels.breach.risk import needed
from forecasting.service_levels.breach.share_forecast import ShareForecast
from forecasting.terms.service_level import Attainment, Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray


def candidate_probabilities(
    objective: Objective,
    so_far: Attainment,
    rest: Rest,
    forecast: ShareForecast,
    member: int,
    share: NDArray[np.float64],
) -> tuple[tuple[str, float], ...]:
    """Return P(miss) by each candidate: the share it gives to what the budget leaves of each path's traffic.

    Parameters
    ----------
    objective : Objective
    so_far : Attainment
    rest : Rest
        With load and workload limit applied.
    forecast : ShareForecast
    member : int
        Index of the service in the forecast.
    share : ndarray, shape (n_paths,)
        Share of bad of the rest as forecast, before load and workload limit: what they change of it on a path, they
        change of every candidate's.
    """
    bad, events = rest.all_bad, rest.all_total
    reach = np.where(share > 0, np.divide(bad, share, out=np.zeros(len(bad)), where=share > 0), events)
    total = so_far.total + np.rint(events)
    bar = bar_of(objective.target, objective.rounding, strict=objective.strict)
    allowed = float(1 - bar.share) * total
    left = np.floor(allowed + 1e-9) if bar.tie_meets else np.ceil(allowed - 1e-9) - 1
    # A fraction of an event is an event on that fraction of the paths.
    edge = (left - so_far.bad + rest.draw) / np.maximum(reach, 1e-9)
    lost = left < so_far.bad
    judged = total >= needed(objective, so_far)
    n = len(bad)
    found = []
    for name, exceed in zip(forecast.names, forecast.by_candidate[:, member], strict=True):
        says = np.where(lost, 1.0, np.interp(edge, forecast.shares[member], exceed))
        says = np.where(~lost & ((edge >= 1) | (reach <= 0)), 0.0, says) * judged
        found.append((name, float((1 + n * says.mean()) / (n + 2))))
    return tuple(found)


def candidate_shares(forecast: ShareForecast, member: int, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of bad that each candidate gives to each path, shape (candidates, n_paths).

    A path keeps its rank: the k-th best of the average is the k-th best of every candidate.

    Parameters
    ----------
    forecast : ShareForecast
    member : int
    share : ndarray, shape (n_paths,)
        As forecast by the average.
    """
    n = len(share)
    level = np.empty(n)
    level[np.argsort(share, kind="stable")] = (np.arange(n) + 0.5) / n
    found = np.empty((len(forecast.names), n))
    for k, exceed in enumerate(forecast.by_candidate[:, member]):
        below = 1.0 - exceed
        keep = np.concatenate(([True], np.diff(below) > 0))
        found[k] = np.interp(level, below[keep], forecast.shares[member][keep])
    return found

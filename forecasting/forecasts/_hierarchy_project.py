"""The linear algebra of reconciliation: who moves by how much, and staying at 0 or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._hierarchy_covariance import ShrunkCovariance
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Smallest share of variance of the gaps (aggregate − sum of its bottom) that counts as different from 0.
_SINGULAR = 1e-10


def gap_weights(aggregation: NDArray[np.float64], covariance: ShrunkCovariance | None) -> NDArray[np.float64] | Excuse:
    """Return K of shape (bottom, aggregates): reconciled bottom = bottom + K @ (aggregates − sums of bottom).

    With C = [I, −A] this is −J W C' (C W C')⁻¹, the form of the minimum trace projection that inverts a matrix of the
    size of the aggregates only and lets single series have no error at all (Wickramasuriya, Athanasopoulos and Hyndman
    2019, theorem 1 and its alternative form). None as covariance stands for the identity (ols).
    """
    count = len(aggregation)
    constraint = np.hstack([np.eye(count), -aggregation]).T
    spread = constraint if covariance is None else covariance.times(constraint)
    gaps = constraint.T @ spread
    size = np.sqrt(np.diag(gaps))
    if not (size > 0).all():
        return Excuse(
            reason=f"covariance is singular: {int((size <= 0).sum())} aggregates always erred like their parts",
            what_would_help="forecast the aggregates by themselves, not as sums",
        )
    correlation = gaps / np.outer(size, size)
    smallest = float(np.linalg.eigvalsh(correlation)[0])
    if not smallest > _SINGULAR * count:
        return Excuse(
            reason=f"covariance is singular: smallest eigenvalue of the gaps' correlation {smallest:.1e}",
            what_would_help="more back-test origins, or leaving out an aggregate that repeats others",
        )
    solved = np.linalg.solve(correlation, (spread[count:] / size).T) / size[:, None]
    return np.asarray(-solved.T, dtype=np.float64)


def repaired(
    base: NDArray[np.float64],
    bottom: NDArray[np.float64],
    aggregation: NDArray[np.float64],
    covariance: ShrunkCovariance | None,
    floor: NDArray[np.bool_],
    bad: NDArray[np.intp],
) -> NDArray[np.float64] | None:
    """Return columns `bad` of the reconciled bottom, closest to the base with `floor` rows at 0 or more; None = cannot.

    Non-negative least squares in the metric of the covariance (Wickramasuriya, Turlach and Hyndman 2020).
    """
    from scipy.optimize import nnls

    n, width = base.shape[0], aggregation.shape[1]
    summing: NDArray[np.float64] = np.vstack([aggregation, np.eye(width)])
    target: NDArray[np.float64] = base[:, bad]
    if covariance is not None:
        if not (covariance.scale > 0).all():
            return None
        scale = covariance.scale[:, None]
        correlation = covariance.times(np.eye(n) / scale) / scale
        if not np.linalg.eigvalsh(correlation)[0] > _SINGULAR * n:
            return None
        # Any root of the inverse gives the same metric; that of the correlation keeps units of different size apart.
        whiten = np.linalg.inv(np.linalg.cholesky(correlation)) / covariance.scale
        summing, target = whiten @ summing, whiten @ target
    free = np.flatnonzero(~floor)
    design = np.hstack([summing, -summing[:, free]])  # a free node is a positive part less a negative one
    unit = float(np.abs(target).max()) or 1.0
    out = np.empty((width, len(bad)))
    for column in range(len(bad)):
        try:
            solution, _ = nnls(design, target[:, column] / unit)
        except RuntimeError:  # no convergence: the caller sets negatives to 0 instead and says so
            return None
        out[:, column] = solution[:width] * unit
        out[free, column] -= solution[width:] * unit
    return out

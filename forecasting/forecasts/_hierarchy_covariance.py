"""How the errors of many series vary together, without ever building the matrix of all pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ShrunkCovariance:
    """Covariance λ·diagonal + (1 − λ)·sample, kept as its factors (about 0, not about the mean: bias counts as error).

    Examples
    --------
    >>> e = np.array([[[1.0, 1.0]], [[-1.0, -1.0]], [[2.0, 2.0]], [[-2.0, -2.0]]])
    >>> ShrunkCovariance.of(e, shrinkage=0.5).times(np.eye(2)).round(2).tolist()
    [[2.5, 1.25], [1.25, 2.5]]
    """

    scale: NDArray[np.float64]
    """Shape (n,): root mean square error of every series, in its own units."""
    scaled: NDArray[np.float64]
    """Shape (rows, n): errors ÷ scale, one row for each origin and step."""
    shrinkage: float
    """λ, 0 to 1; 1 = the series are taken as uncorrelated."""

    @classmethod
    def of(cls, errors: NDArray[np.float64], *, shrinkage: float | None = None) -> ShrunkCovariance:
        """Estimate from errors of shape (n_origins, k, n); λ from the data unless it is given."""
        scale = np.sqrt(np.mean(errors**2, axis=(0, 1)))
        scaled = errors / np.where(scale > 0, scale, 1.0)
        lam = shrinkage_intensity(scaled) if shrinkage is None else shrinkage
        return cls(scale=scale, scaled=scaled.reshape(-1, errors.shape[2]), shrinkage=lam)

    def times(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return covariance @ `right`, shapes (n, n) and (n, m)."""
        inner = self.scale[:, None] * right
        product = self.shrinkage * inner
        if self.shrinkage < 1:
            product += (1 - self.shrinkage) / len(self.scaled) * (self.scaled.T @ (self.scaled @ inner))
        return np.asarray(self.scale[:, None] * product, dtype=np.float64)


def shrinkage_intensity(scaled: NDArray[np.float64]) -> float:
    """Return the share by which correlations are best shrunk to 0: Σ Var(r_ij) ÷ Σ r_ij² over i ≠ j, 0 to 1.

    Schäfer and Strimmer (2005), in the form used for reconciliation by Wickramasuriya, Athanasopoulos and Hyndman
    (2019). Steps of one origin err together, so an origin, not a step, is one observation: r_ij is the mean over
    origins of the mean product over steps. With k = 1 this is the published formula.

    Parameters
    ----------
    scaled : array of shape (n_origins, k, n)
        Errors ÷ root mean square error of the series; at least 2 origins.

    Examples
    --------
    >>> together = np.random.default_rng(1).normal(size=(200, 1, 1)) * np.ones(3)
    >>> shrinkage_intensity(together / np.sqrt(np.mean(together**2))) < 0.02
    True
    """
    origins, steps, n = scaled.shape
    # The squared Frobenius norm of Z'Z equals that of ZZ', so the smaller of the two is built.
    each = sum(_off_diagonal(rows, steps) for rows in scaled)
    mean = _off_diagonal(scaled.reshape(-1, n), origins * steps)
    if mean <= 0:
        return 1.0
    variance = (each - origins * mean) / (origins * (origins - 1))
    return float(min(max(variance / mean, 0.0), 1.0))


def _off_diagonal(rows: NDArray[np.float64], count: int) -> float:
    """Sum of squares of rows' @ rows ÷ count outside the diagonal."""
    product = rows.T @ rows if rows.shape[1] <= rows.shape[0] else rows @ rows.T
    diagonal = np.einsum("rn,rn->n", rows, rows)
    return float(max(np.sum(product**2) - np.sum(diagonal**2), 0.0)) / count**2

"""How often breach statements came true: Brier skill against climatology, with its interval and reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.breach import ReliabilityBin, RiskScore
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One statement about one window, and what became of it."""

    service: str
    objective: str
    window: str
    """Label of the window."""
    window_end: datetime
    at: datetime
    """When it was made (UTC)."""
    elapsed: float
    """Elapsed share of the window at that time, 0 to 1 (negative = before it began)."""
    probability: float
    climatology: float
    """Share of breached windows known then: the service's own, shrunk to the fleet's."""
    breached: bool


def climatology(own_breached: int, own_windows: int, fleet_breached: int, fleet_windows: int) -> float:
    """Return the past breach rate of a service, pulled to the fleet's with the weight of two windows.

    Without any closed window it is one half.

    Examples
    --------
    >>> climatology(1, 2, 5, 10)
    0.5
    """
    fleet = (fleet_breached + 1) / (fleet_windows + 2)
    return (own_breached + 2 * fleet) / (own_windows + 2)


def brier(probabilities: NDArray[np.float64], outcomes: NDArray[np.float64]) -> float:
    """Return the mean squared difference of probability and outcome.

    Examples
    --------
    >>> brier(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    0.5
    """
    return float(np.mean((probabilities - outcomes) ** 2))


def score_decisions(
    decisions: Sequence[Decision], *, protocol: str, seed: int, draws: int = 2000, bins: int = 5
) -> RiskScore | Excuse:
    """Score statements whose outcome was open when they were made.

    The interval of the skill is a paired bootstrap over blocks: a block is a service, and within each draw windows
    are drawn too, so that statements on one window stay together.

    Parameters
    ----------
    decisions : sequence of Decision
    protocol : str
        What was replayed, in words.
    seed : int
    draws : int
        Bootstrap draws.
    bins : int
        Reliability bins of equal size.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> end = datetime(2027, 1, 1, tzinfo=UTC)
    >>> made = [Decision(service=s, objective="o", window=str(w), window_end=end, at=end - timedelta(days=9),
    ...                  elapsed=0.5, probability=0.9 if w % 2 else 0.1, climatology=0.5, breached=w % 2 == 1)
    ...         for s in "ab" for w in range(10)]
    >>> score = score_decisions(made, protocol="an example", seed=1, draws=50)
    >>> round(score.brier, 4), score.brier_climatology, round(score.skill, 4)
    (0.01, 0.25, 0.96)
    """
    if len(decisions) < 20 or len({d.window for d in decisions}) < 2:
        return Excuse(
            reason=f"{len(decisions)} past statements on {len({d.window for d in decisions})} windows, 20 on 2 needed",
            what_would_help="a longer history",
        )
    p = np.array([d.probability for d in decisions])
    q = np.array([d.climatology for d in decisions])
    y = np.array([float(d.breached) for d in decisions])
    reference = brier(q, y)
    if reference <= 0:
        return Excuse(reason="climatology is perfect: every window ended alike", what_would_help="a longer history")
    low, high = _skill_interval(decisions, (p - y) ** 2, (q - y) ** 2, seed, draws)
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return RiskScore(
        decisions=len(decisions),
        breaches=int(y.sum()),
        brier=brier(p, y),
        brier_climatology=reference,
        skill=1.0 - brier(p, y) / reference,
        skill_low=low,
        skill_high=high,
        bins=tuple(
            ReliabilityBin(predicted=float(p[k].mean()), observed=float(y[k].mean()), count=len(k)) for k in parts
        ),
        first=min(d.at for d in decisions),
        last=max(d.at for d in decisions),
        protocol=protocol,
    )


def _skill_interval(
    decisions: Sequence[Decision],
    loss: NDArray[np.float64],
    reference: NDArray[np.float64],
    seed: int,
    draws: int,
) -> tuple[float, float]:
    """Return the 95 % interval of 1 − Σ loss ÷ Σ reference over resampled services × windows."""
    random = np.random.default_rng(seed)
    services = {name: k for k, name in enumerate(sorted({d.service for d in decisions}))}
    windows = {name: k for k, name in enumerate(sorted({d.window for d in decisions}))}
    ours = np.zeros((len(services), len(windows)))
    theirs = np.zeros_like(ours)
    for k, d in enumerate(decisions):
        ours[services[d.service], windows[d.window]] += loss[k]
        theirs[services[d.service], windows[d.window]] += reference[k]
    skills = []
    for _ in range(draws):
        rows = random.integers(0, len(services), len(services))
        columns = random.integers(0, len(windows), len(windows))
        below = theirs[rows][:, columns].sum()
        if below > 0:
            skills.append(1.0 - ours[rows][:, columns].sum() / below)
    if not skills:  # no draw met a window on which climatology was wrong
        skills = [1.0 - float(loss.sum() / reference.sum())]
    low, high = np.quantile(skills, [0.025, 0.975])
    return float(low), float(high)

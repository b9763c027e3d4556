"""How often breach statements came true: Brier skill against climatology, with its interval and reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from forecasting.service_levels.breach.metrics import Blocks, brier, equal_bins, expected_calibration_error
from forecasting.terms.breach import ReliabilityBin, RiskScore
from forecasting.terms.errors import Excuse

__all__ = ["Decision", "Judged", "brier", "climatology", "score_decisions"]


class Judged(Protocol):
    """A statement and what came of it: `Decision`, or `terms.track_record.Statement`."""

    @property
    def service(self) -> str:
        """The service."""
        ...

    @property
    def window(self) -> str:
        """Label of the window."""
        ...

    @property
    def at(self) -> datetime:
        """When it was made."""
        ...

    @property
    def probability(self) -> float:
        """P(miss) stated then."""
        ...

    @property
    def climatology(self) -> float:
        """What climatology said."""
        ...

    @property
    def breached(self) -> bool:
        """What came of it."""
        ...

    @property
    def open(self) -> bool:
        """Whether the outcome was open then."""
        ...


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
    open: bool = True
    """Whether the outcome was open."""


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


def score_decisions(
    decisions: Sequence[Judged], *, protocol: str, seed: int, draws: int = 2000, bins: int = 5
) -> RiskScore | Excuse:
    """Score statements whose outcome was open when they were made.

    The interval of the skill is a paired bootstrap over blocks: a block is a service, and within each draw windows
    are drawn too, so that statements on one window stay together.

    Parameters
    ----------
    decisions : sequence of Decision or Statement
        Those whose outcome was decided are left out.
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
    decisions = [d for d in decisions if d.open]
    windows = {d.window for d in decisions}
    if len(decisions) < 20 or len(windows) < 2:
        return Excuse(
            reason=f"{len(decisions)} past statements on {len(windows)} windows, 20 on 2 needed",
            what_would_help="a longer history",
        )
    p = np.array([d.probability for d in decisions])
    q = np.array([d.climatology for d in decisions])
    y = np.array([float(d.breached) for d in decisions])
    reference = brier(q, y)
    if reference <= 0:
        return Excuse(reason="climatology is perfect: every window ended alike", what_would_help="a longer history")
    blocks = Blocks.of([d.service for d in decisions], [d.window for d in decisions], seed=seed, draws=draws)
    weights = blocks.weights(np.ones(len(y), dtype=np.bool_))
    below = weights.mean((q - y) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = 1.0 - weights.mean((p - y) ** 2) / below
    usable = skills[np.isfinite(skills)]
    if not len(usable):  # no draw met a window on which climatology was wrong
        usable = np.array([1.0 - brier(p, y) / reference])
    low, high = np.quantile(usable, [0.025, 0.975])
    return RiskScore(
        decisions=len(decisions),
        breaches=int(y.sum()),
        brier=brier(p, y),
        brier_climatology=reference,
        skill=1.0 - brier(p, y) / reference,
        skill_low=float(low),
        skill_high=float(high),
        bins=tuple(
            ReliabilityBin(predicted=float(p[k].mean()), observed=float(y[k].mean()), count=len(k))
            for k in equal_bins(p, bins)
        ),
        first=min(d.at for d in decisions),
        last=max(d.at for d in decisions),
        protocol=protocol,
        ece=expected_calibration_error(p, y),
    )

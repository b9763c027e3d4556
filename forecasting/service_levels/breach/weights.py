"""Weights of the candidates by how they did on past windows that stood as the one asked about stands now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.candidates import Candidate
from forecasting.service_levels.breach.shares import KNOWN_SHARE, ShareHistory, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIOR = 0.1
"""How firmly the weights before anything is known are held: the squared error, summed over past windows, by which a
set of weights must be better to be one unit away from them."""
FEW = 30.0
"""Past windows with which they are held twice as firmly; with half of them five times, and so on."""
MEMORY = 48
"""Past windows (half overlapping) after which a statement counts half."""
MOST_MEMBERS = 64
"""Services whose past windows are judged; weights are common to the group, so that a part of it teaches enough."""
_STATEMENTS = 3000
_DRAWS = 400
_FEWEST, _MOST = 16, 100


def learn_weights(
    history: ShareHistory,
    span: Span,
    targets: NDArray[np.float64],
    candidates: Sequence[Candidate],
    *,
    seed: int,
) -> tuple[NDArray[np.float64], int]:
    """Return the weight of each candidate, and how many past windows they were learnt from.

    Every past window of the same length is asked about with the data of then, at the same stage, and each candidate's
    probability is held against what happened. The weights are those with which the average of the probabilities would
    have had the smallest squared error (stacking), held to the weights before anything is known; services of one
    window are taken as partly dependent (their sum counts by the square root of their number) and half-overlapping
    windows as half.

    Parameters
    ----------
    history : ShareHistory
    span : Span
    targets : ndarray, shape (members, targets)
        Share of good to be reached; NaN where a member has fewer targets. Windows already decided teach nothing.
    candidates : sequence of Candidate
    seed : int

    References
    ----------
    Dawid, Statistical theory: the prequential approach, JRSS A 147 (1984) 278-292. Breiman, Stacked regressions,
    Machine Learning 24 (1996) 49-64.
    """
    asked = np.flatnonzero(np.isfinite(targets).any(axis=1))
    if len(asked) > MOST_MEMBERS:
        asked = asked[np.linspace(0, len(asked) - 1, MOST_MEMBERS).round().astype(np.int64)]
    prior = np.array([c.weight for c in candidates])
    if not len(asked):
        return prior / prior.sum(), 0
    past, goals = history.of(asked), targets[asked]
    most = int(np.clip(_STATEMENTS // len(asked), _FEWEST, _MOST))
    bad, total, known = past.sums
    squares, windows = np.zeros((len(candidates), len(candidates))), 0
    step = max(1, span.length // 2)
    first = max(3, 2 * span.window if span.window > 1 else 8)
    for nth, origin in enumerate(range(past.slices - span.gap - span.length, first, -step)):
        if nth >= most:
            break
        start = origin + span.gap - span.elapsed
        if start < 0:
            continue
        end = origin + span.gap + span.length
        before = past.until(origin)
        allowed = before.allowed(span, goals)
        fell_bad, fell = bad[:, end] - bad[:, start], total[:, end] - total[:, start]
        complete = (known[:, end] - known[:, origin + span.gap]) >= KNOWN_SHARE * span.length * past.usual
        open_ = (allowed > 0) & (allowed < 1) & (complete & (fell > 0) & (before.sums[1][:, -1] > 0))[:, None]
        if not open_.any():
            continue
        missed = fell_bad[:, None] > (1.0 - goals) * fell[:, None] + 1e-9
        question = np.where(np.isfinite(allowed), allowed, 2.0)
        windows += 1
        fade = 0.5 ** (nth / MEMORY) * 0.5 / np.sqrt(open_.sum())
        said = np.stack([candidate.fit(before, span, seed, _DRAWS).exceed(question)[open_] for candidate in candidates])
        away = said - missed[open_]
        squares += fade * away @ away.T
    return _lightest(squares, prior / prior.sum(), PRIOR * (1.0 + (FEW / max(windows, 1)) ** 2)), windows


def _lightest(squares: NDArray[np.float64], prior: NDArray[np.float64], held: float) -> NDArray[np.float64]:
    """Return the weights, not negative and of sum 1, of the smallest squared error beside the distance to `prior`."""
    from scipy.optimize import nnls

    root = np.linalg.cholesky(squares + held * np.eye(len(prior)))
    # A row that outweighs all others stands for the sum of 1.
    heavy = 1e4 * np.sqrt(np.trace(squares) + held)
    rows = np.vstack((root.T, np.full(len(prior), heavy)))
    found = nnls(rows, np.append(np.linalg.solve(root, held * prior), heavy))[0]
    return np.asarray(found / found.sum(), dtype=np.float64)

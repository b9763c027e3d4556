"""Weights of the candidates by how they did on past windows that stood as the one asked about stands now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.candidates import Candidate
from forecasting.service_levels.breach.shares import KNOWN_SHARE, ShareHistory, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEARNING_RATE = 2.0
MEMORY = 48
"""Past windows (half overlapping) after which a statement counts half."""
MOST_MEMBERS = 64
"""Services whose past windows are judged; weights are common to the group, so that a part of it teaches enough."""
_STATEMENTS = 3000
_FEWEST, _MOST = 16, 100
_CLIP = 0.01


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
    probability is held against what happened. Weights grow with the likelihood so far, from the weights before
    anything is known (Bayesian model averaging in its prequential form); services of one window are taken as partly
    dependent (their sum counts by the square root of their number) and half-overlapping windows as half.

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
    Dawid, Statistical theory: the prequential approach, JRSS A 147 (1984) 278-292. Hoeting et al., Bayesian model
    averaging, Statistical Science 14 (1999) 382-417.
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
    score, windows = np.zeros(len(candidates)), 0
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
        for k, candidate in enumerate(candidates):
            said = np.clip(candidate.fit(before, span, seed).exceed(question), _CLIP, 1.0 - _CLIP)
            score[k] += fade * float(np.log(np.where(missed, said, 1.0 - said))[open_].sum())
    grown = LEARNING_RATE * score + np.log(prior)
    weight = np.exp(grown - grown.max())
    return weight / weight.sum(), windows

"""Simple ways of stating P(miss) that any model must beat: one line each in `BASELINES`.

Each sees what was known at the instant of the question, and is calibrated on windows that had closed by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.baselines.base import (
    Asked,
    Baseline,
    Calibration,
    Past,
    as_stated,
    frequencies,
)
from forecasting.service_levels.breach.baselines.climatology import drawn_to_the_base, nothing, own_record
from forecasting.service_levels.breach.baselines.holt import trend_of_attainment
from forecasting.service_levels.breach.baselines.iid import independent_events
from forecasting.service_levels.breach.baselines.rules import (
    burning_now,
    burnt_so_far,
    extrapolated,
    last_outcome,
    on_a_line,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BASELINES", "Asked", "Baseline", "Calibration", "Past", "state_baselines"]

BASELINES: tuple[Baseline, ...] = (
    Baseline(name="climatology", title="past miss rate at the horizon", signal=nothing, state=frequencies),
    Baseline(
        name="service climatology", title="the service's own past miss rate, drawn to climatology", signal=own_record,
        state=drawn_to_the_base,
    ),
    Baseline(name="extrapolation", title="budget spent ÷ elapsed above 1", signal=extrapolated, state=frequencies),
    Baseline(name="predict_linear", title="a line through the last 3 days", signal=on_a_line, state=frequencies),
    Baseline(name="burn-rate alert now", title="a burn-rate alert fires", signal=burning_now, state=frequencies),
    Baseline(
        name="burn-rate alert so far", title="one has fired in the window", signal=burnt_so_far, state=frequencies
    ),
    Baseline(
        name="iid binomial", title="independent events at the past rate", signal=independent_events, state=as_stated
    ),
    Baseline(name="persistence", title="the last window's outcome again", signal=last_outcome, state=frequencies),
    Baseline(name="Holt", title="trend of the attainments", signal=trend_of_attainment, state=as_stated),
)  # fmt: skip
"""Baselines in the order in which they are listed."""


def state_baselines(
    questions: Sequence[tuple[Past, Asked]], kinds: Sequence[str]
) -> tuple[list[dict[str, NDArray[np.float64]]], list[NDArray[np.bool_]]]:
    """Return what every baseline says to every question, and which outcomes were open when they were asked.

    Parameters
    ----------
    questions : sequence of (Past, Asked)
        One for each promise.
    kinds : sequence of str
        Kind of window of each promise: horizons are compared within a kind only.

    Returns
    -------
    stated : list of dict
        For each promise the probabilities by baseline, shape (its questions,).
    is_open : list of ndarray
        For each promise whether the outcome was open.
    """
    is_open = [past.is_open(asked) for past, asked in questions]
    if not questions:
        return [], []
    keys = [(kind, float(e)) for kind, (_, asked) in zip(kinds, questions, strict=True) for e in asked.elapsed]
    number = {key: k for k, key in enumerate(sorted(set(keys)))}
    calibration = Calibration(
        group=np.array([number[key] for key in keys], dtype=np.int64),
        at=np.concatenate([asked.at for _, asked in questions]),
        known_at=np.concatenate([past.known_at[asked.window] for past, asked in questions]),
        missed=np.concatenate(
            [np.where(o, p.missed[a.window], np.nan) for (p, a), o in zip(questions, is_open, strict=True)]
        ),
    )
    bounds = np.cumsum([len(asked) for _, asked in questions])[:-1]
    stated: list[dict[str, NDArray[np.float64]]] = [{} for _ in questions]
    for baseline in BASELINES:
        signal = np.concatenate([baseline.signal(past, asked) for past, asked in questions])
        for one, part in zip(stated, np.split(baseline.state(signal, calibration), bounds), strict=True):
            one[baseline.name] = part
    return stated, is_open

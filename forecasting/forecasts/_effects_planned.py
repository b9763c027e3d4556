"""Events of one series, sorted by what is known of them at the origin, and their factors in history and horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._effects_events import Seen, instant, learnt, seen_change, seen_pulse, shape_of
from forecasting.forecasts._effects_expected import expected_values
from forecasting.terms.covariate import Event
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHUT = 0.05
"""Factor below which a slice says nothing about what it would have been without the event."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """An event that touches history or horizon and was known at the origin."""

    event: Event
    shape: NDArray[np.float64]
    """Shape (n + H,): share of its full effect."""
    over: bool
    """A pulse that ended by the origin: it is taken out as it was measured."""


def known_events(events: Sequence[Event], edges: NDArray[np.int64], n: int) -> tuple[list[Known], dict[str, Excuse]]:
    """Return the events known when slice `n` begins that touch the grid, oldest first; and why others are not used."""
    known: list[Known] = []
    declined: dict[str, Excuse] = {}
    for event in sorted(events, key=lambda e: (e.start, e.end, e.name)):
        if event.known_from is not None and instant(event.known_from) > edges[n]:
            declined[event.name] = Excuse(
                reason=f"not known before {event.known_from.isoformat()}, after the forecast is made",
                what_would_help="an earlier announcement",
            )
            continue
        shape = shape_of(event, edges)
        if (shape > 0).any() and not (event.kind != "pulse" and (shape == 1).all()):
            over = event.kind == "pulse" and not (shape[n:] > 0).any()
            known.append(Known(event=event, shape=shape, over=over))
    return known, declined


def touched_slices(known: list[Known], n: int) -> NDArray[np.bool_]:
    """Mark slices of the history under a pulse."""
    touched = np.zeros(n, dtype=np.bool_)
    for one in known:
        if one.event.kind == "pulse":
            touched |= one.shape[:n] > 0
    return touched


def take_out(
    values: NDArray[np.float64], effect: float, shape: NDArray[np.float64], *, factor: bool
) -> NDArray[np.float64]:
    """Values without an effect (multiplier − 1 if `factor`, else difference); NaN where next to nothing was left."""
    if not factor:
        return values - effect * shape
    by = 1 + effect * shape
    return np.where(by < SHUT, np.nan, values / np.maximum(by, SHUT))


def take_out_changes(
    values: NDArray[np.float64], known: list[Known], edges: NDArray[np.int64], distance: int, *, multiplicative: bool
) -> tuple[NDArray[np.float64], list[float | None], dict[str, list[Seen]]]:
    """Take steps and ramps out of the history, the planned ones first.

    Returns the rest, the effect of every event that is settled (None = not yet), and what was seen by name.
    """
    n = len(values)
    settled: list[float | None] = [None] * len(known)
    seen: dict[str, list[Seen]] = {}
    rest = values
    for i, one in enumerate(known):
        if one.event.multiplier is not None and not one.over:
            settled[i] = one.event.multiplier - 1
            if (one.shape[:n] > 0).any():
                rest = take_out(rest, one.event.multiplier - 1, one.shape[:n], factor=True)
    hidden = np.where(touched_slices(known, n), np.nan, rest)
    for i, one in enumerate(known):
        if one.event.kind == "pulse" or one.event.multiplier is not None or not (one.shape[:n] > 0).any():
            continue
        what = seen_change(hidden, one.event, edges, distance, multiplicative=multiplicative)
        if what is None:
            continue
        seen.setdefault(one.event.name, []).append(what)
        # A change that is lost in the noise stays in the history: models follow levels by themselves.
        settled[i] = what.effect if abs(what.effect) > 2 * what.noise else 0.0
        rest = take_out(rest, settled[i] or 0.0, one.shape[:n], factor=multiplicative)
        hidden = take_out(hidden, settled[i] or 0.0, one.shape[:n], factor=multiplicative)
    return rest, settled, seen


def measure_pulses(
    clean: NDArray[np.float64],
    known: list[Known],
    settled: list[float | None],
    seen: dict[str, list[Seen]],
    *,
    distance: int,
    season: int,
    multiplicative: bool,
) -> tuple[NDArray[np.float64], list[float | None], dict[str, list[Seen]]]:
    """Measure the past pulses against the seasons around them and take out those that are over, each as measured.

    A pulse that shares all its slices with other events cannot be told apart from them: its slices become unknown.
    """
    n = len(clean)
    touched = touched_slices(known, n)
    pulses = [i for i, one in enumerate(known) if one.event.kind == "pulse" and (one.shape[:n] > 0).any()]
    if not pulses:
        return clean, settled, seen
    settled, seen = list(settled), {name: list(ones) for name, ones in seen.items()}
    expected = expected_values(clean, touched, distance, season)
    crowd = np.sum([known[i].shape[:n] > 0 for i in pulses], axis=0)
    rest = clean
    for i in pulses:
        one = known[i]
        shape = np.where(crowd > 1, 0.0, one.shape[:n])
        what = (
            seen_pulse(clean, expected, shape, ~touched, multiplicative=multiplicative)
            if settled[i] is None or one.over
            else None
        )
        if what is not None:
            seen.setdefault(one.event.name, []).append(what)
            if one.over:
                settled[i] = what.effect
                rest = take_out(rest, what.effect, one.shape[:n], factor=multiplicative)
    if (crowd > 1).any():
        rest = np.where(crowd > 1, np.nan, rest)
    return rest, settled, seen


def settle_rest(
    rest: NDArray[np.float64],
    known: list[Known],
    settled: list[float | None],
    seen: dict[str, list[Seen]],
    *,
    multiplicative: bool,
) -> tuple[NDArray[np.float64], list[float | None], dict[str, Excuse]]:
    """Give every event that is left the effect learnt from its namesakes, else the stated one, else an excuse."""
    n = len(rest)
    settled = list(settled)
    declined: dict[str, Excuse] = {}
    for i, one in enumerate(known):
        if settled[i] is not None or one.over:
            continue
        name = one.event.name
        if name not in seen and one.event.stated is not None:
            settled[i] = one.event.stated - 1
            if (one.shape[:n] > 0).any():
                rest = take_out(rest, one.event.stated - 1, one.shape[:n], factor=True)
            continue
        if name not in seen:
            declined[name] = Excuse(
                reason="unknown effect: no multiplier is given and no earlier event of this name was observed",
                what_would_help="a planned multiplier or a stated effect",
            )
            continue
        effect = learnt(seen[name])
        settled[i] = effect
        if (one.shape[:n] > 0).any():
            rest = take_out(rest, effect, one.shape[:n], factor=multiplicative)
    return rest, settled, declined

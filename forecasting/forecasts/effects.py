"""Effects of known covariates and dated events: out of the history, and back into the forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from forecasting.forecasts._effects_basis import usable_covariates
from forecasting.forecasts._effects_covariates import covariate_effects
from forecasting.forecasts._effects_events import Seen, slice_edges
from forecasting.forecasts._effects_expected import neighbour_distance
from forecasting.forecasts._effects_planned import (
    Known,
    known_events,
    measure_pulses,
    settle_rest,
    take_out_changes,
    touched_slices,
)
from forecasting.forecasts.bounds import clip_to_kind
from forecasting.history.gaps import fill_gaps
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import MetricKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.terms.covariate import Covariate, Event

Mode = Literal["add", "multiply"]
"""How an effect acts: `multiply` for counts and what is 0 or more, `add` for ratios and real numbers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Effects:
    """What covariates and events do to one metric; H is the horizon.

    Examples
    --------
    >>> none = Effects(adjusted=np.ones(3), future=np.array([1.0, 1.5]), mode="multiply", parts={"sale": np.array(
    ...     [1.0, 1.5])}, kept=("sale",), declined=(), method="events as planned")
    >>> none.put_back(np.array([[10.0, 10.0], [20.0, 20.0]]))
    array([[10., 15.],
           [20., 30.]])
    """

    adjusted: NDArray[np.float64]
    """Shape (n_known,): history as it would have been with all covariates at their mean and without events. NaN where
    unknown, where an event left next to nothing, and where several past events overlap and cannot be told apart.
    Counts are no longer whole numbers."""
    future: NDArray[np.float64]
    """Shape (H,): what a forecast of `adjusted` is multiplied by, or what is added to it, as `mode` says."""
    mode: Mode
    parts: Mapping[str, NDArray[np.float64]]
    """Shape (H,) each, by name of covariate or event; their product (or sum) is `future`."""
    kept: tuple[str, ...]
    """Names of covariates kept and of events with an effect in history or horizon, strongest covariate first."""
    declined: tuple[tuple[str, Excuse], ...]
    """(name, why not), in the order given."""
    method: str
    """What was done, in words with the numbers."""
    error_saved: float | None = None
    """Share of the mean absolute error that the covariates kept save out of fold, 0 to 1; None without any."""
    known_by: Mapping[str, str] = field(default_factory=dict)
    """How the effect of each event in the horizon is known, by name, such as ``learnt from 3 past events``."""

    def put_back(self, forecast: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a forecast of `adjusted`, shape (..., H), with the effects of the horizon; not clipped to bounds."""
        return forecast * self.future if self.mode == "multiply" else forecast + self.future


def estimate_effects(
    values: NDArray[np.float64],
    *,
    n_known: int,
    season: int,
    seasons: tuple[int, ...],
    covariates: Sequence[Covariate],
    events: Sequence[Event],
    at: NDArray[np.datetime64],
    kind: MetricKind,
) -> Effects:
    """Measure what covariates and events did to a metric, and say what they will do in the horizon.

    Every slice is compared with the same phase of the four nearest seasons (mean of the middle two), as a log ratio
    for counts and non-negative metrics and as a difference for ratios and real ones. These deviations are regressed on
    the covariates (ridge, levels of 4 to 12 blocks of time left free). Blocks are forecast from what came before them:
    a covariate is kept, as a line, a parabola or a line with two bends, only where its mean saving over the blocks
    exceeds its own noise (one-sided 5 %), one covariate at a time; the penalty is chosen in the same way.

    The effect of an event without a multiplier is the median of the past ones of its name, drawn to "none" by how few
    and how scattered they are; where none was observed, the one that is stated. A multiplier that is given is used as
    it is; only a pulse that is over is taken out of the history as it was measured. Nothing after `n_known`, and no
    event known only later, is used.

    Parameters
    ----------
    values : ndarray, shape (at least n_known,)
        History, NaN for missing; not changed.
    n_known : int
        Slices known at the origin; the rest of `values` is not looked at.
    season : int
        Main season in slices, 1 = none.
    seasons : tuple of int
        Further seasons that may be compared where the history is too short for three of the main one.
    covariates, events : sequence
        Those of this series (`Event.concerns` tells); names of covariates are unique.
    at : ndarray of datetime64, shape (n_known + H,)
        UTC start of every slice of history and horizon.
    kind : MetricKind
        Decides between factors and differences.

    Returns
    -------
    Effects

    Raises
    ------
    InputError
        If lengths do not fit, a season is below 1, or two covariates have the same name.

    Notes
    -----
    Comparing after taking the same phases out of metric and covariate alike is the theorem of Frisch and Waugh (1933)
    and Lovell (1963); ridge is Hoerl and Kennard (1970). Where there are zeros the size of log effects is set by a
    Poisson line (Gourieroux, Monfort and Trognon 1984). Covariates beyond the range seen are held 10 % outside it.

    Examples
    --------
    >>> from forecasting.terms.covariate import Covariate
    >>> rng = np.random.default_rng(1)
    >>> rain = rng.random(147)
    >>> users = np.tile([5.0, 9, 9, 9, 9, 7, 3], 21) * np.exp(-rain) * 100
    >>> at = np.datetime64("2027-03-01") + np.arange(147)
    >>> e = estimate_effects(users[:140], n_known=140, season=7, seasons=(7,), events=(), at=at, kind=MetricKind.COUNT,
    ...     covariates=(Covariate(name="rain", values=rain), Covariate(name="moon", values=rng.random(147))))
    >>> e.kept, bool(np.allclose(e.put_back(e.adjusted[-7:]), users[140:], rtol=0.05))
    (('rain',), True)
    """
    horizon = len(at) - n_known
    _check(values, n_known, season, covariates, horizon)
    multiplicative = kind in (MetricKind.COUNT, MetricKind.NON_NEGATIVE)
    history = np.array(values[:n_known], dtype=np.float64)
    distance = neighbour_distance(n_known, season, seasons)
    edges = slice_edges(at)
    known, declined = known_events(events, edges, n_known)
    plain, settled, seen = take_out_changes(history, known, edges, distance, multiplicative=multiplicative)
    touched = touched_slices(known, n_known)
    usable, unusable = usable_covariates(covariates, ~np.isnan(plain) & ~touched, horizon)
    found = covariate_effects(plain, touched, usable, distance=distance, season=season, multiplicative=multiplicative)
    declined |= unusable | found.declined
    clean = plain
    parts: dict[str, NDArray[np.float64]] = {}
    for name, effect in found.parts.items():
        past, ahead = effect[:n_known], effect[n_known:]
        clean = clean / np.exp(past) if multiplicative else clean - past
        parts[name] = np.exp(ahead) if multiplicative else ahead
    rest, settled, seen = measure_pulses(
        clean, known, settled, seen, distance=distance, season=season, multiplicative=multiplicative
    )
    adjusted, settled, unsettled = settle_rest(rest, known, settled, seen, multiplicative=multiplicative)
    declined |= unsettled
    adjusted = clip_to_kind(adjusted, kind)
    base = _level_ahead(adjusted, distance if distance in (season, *seasons) else 1, horizon)
    for one, size in zip(known, settled, strict=True):
        shape = one.shape[n_known:]
        if size is None or not (shape > 0).any():
            continue
        name = one.event.name
        # Given as a factor, where what was learnt of an additive metric is a difference.
        planned = one.event.multiplier is not None or (one.event.stated is not None and name not in seen)
        if multiplicative:
            parts[name] = parts.get(name, np.ones(horizon)) * (1 + size * shape)
        else:
            parts[name] = parts.get(name, np.zeros(horizon)) + size * shape * (base if planned else 1.0)
    future = np.ones(horizon) if multiplicative else np.zeros(horizon)
    for part in parts.values():
        future = future * part if multiplicative else future + part
    for array in (adjusted, future, *parts.values()):
        array.setflags(write=False)
    names = dict.fromkeys((*(c.name for c in covariates), *(e.name for e in events)))
    choice = found.choice
    saved = 1 - choice.error[1] / choice.error[0] if choice and found.parts and choice.error[0] > 0 else None
    happened = [one.event.name for one, size in zip(known, settled, strict=True) if size is not None]
    return Effects(
        adjusted=adjusted,
        future=future,
        mode="multiply" if multiplicative else "add",
        parts=parts,
        kept=tuple(dict.fromkeys((*found.parts, *happened))),
        declined=tuple((name, declined[name]) for name in names if name in declined),
        method=_words(multiplicative, found.shapes, choice.penalty if choice else 0.0, seen, known),
        error_saved=saved,
        known_by=_known_by(known, settled, seen, n_known),
    )


def _known_by(
    known: Sequence[Known], settled: Sequence[float | None], seen: Mapping[str, list[Seen]], n: int
) -> dict[str, str]:
    """How the effects of the horizon are known, in words by name of the event."""
    found: dict[str, str] = {}
    for one, size in zip(known, settled, strict=True):
        name, event = one.event.name, one.event
        if size is None or not (one.shape[n:] > 0).any():
            continue
        count = len(seen.get(name, ()))
        learnt = f"learnt from {count} past event{'' if count == 1 else 's'}"
        found[name] = "as planned" if event.multiplier is not None else learnt if count else "as stated"
    return found


def _level_ahead(adjusted: NDArray[np.float64], season: int, horizon: int) -> NDArray[np.float64]:
    """Median of the last four seasons by phase (of the last twelve slices without one), for planned factors."""
    count = 4 * season if season > 1 else 12
    if np.isnan(adjusted).all():
        return np.zeros(horizon)
    filled, _ = fill_gaps(adjusted, season)
    recent = filled[-(min(count, len(filled)) // season) * season :] if len(filled) >= season else filled
    width = season if season > 1 and len(filled) >= season else 1
    return np.resize(np.median(recent.reshape(-1, width), axis=0), horizon)


def _words(
    multiplicative: bool, shapes: Mapping[str, str], penalty: float, seen: Mapping[str, list[Seen]], known: list[Known]
) -> str:
    """What was done, in words."""
    said = ["effects as factors" if multiplicative else "effects as differences"]
    if shapes:
        said.append(
            f"ridge with penalty {penalty:g} on " + ", ".join(f"{name} ({how})" for name, how in shapes.items())
        )
    said += [f"{name} learnt from {len(ones)} past event{'' if len(ones) == 1 else 's'}" for name, ones in seen.items()]
    planned = dict.fromkeys(one.event.name for one in known if one.event.multiplier is not None and not one.over)
    if planned:
        said.append(f"{', '.join(planned)} as planned")
    stated = dict.fromkeys(
        one.event.name
        for one in known
        if one.event.stated is not None and one.event.multiplier is None and one.event.name not in seen and not one.over
    )
    if stated:
        said.append(f"{', '.join(stated)} as stated")
    return "; ".join(said)


def _check(
    values: NDArray[np.float64], n_known: int, season: int, covariates: Sequence[Covariate], horizon: int
) -> None:
    """Refuse arguments that do not fit together."""
    if values.ndim != 1 or not 1 <= n_known <= len(values):
        raise InputError(
            argument="n_known",
            came=f"{n_known} of values with shape {values.shape}",
            allowed="1 to the length of a row of values",
            try_instead=str(len(values)),
        )
    if horizon < 1:
        raise InputError(
            argument="at",
            came=f"{n_known + horizon} slices",
            allowed=f"more than {n_known}",
            try_instead="history + horizon",
        )
    if season < 1:
        raise InputError(argument="season", came=season, allowed="1 or more slices", try_instead="1 for none")
    if np.isinf(values[:n_known]).any():
        raise InputError(
            argument="values", came="an infinite value", allowed="finite numbers, NaN for missing", try_instead="NaN"
        )
    names = [covariate.name for covariate in covariates]
    twin = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twin is not None:
        raise InputError(
            argument="covariates", came=f"{twin} twice", allowed="different names", try_instead=f"{twin}_2"
        )

"""When to refit: do the errors still come from where they came from when the model was chosen?

The test is a conformal test martingale. Each new error is ranked among the recorded and all later ones; as long as
nothing changed, every rank is equally likely whatever the distribution of the errors, and no way of betting on the
ranks makes money on average. So the chance that the capital ever grows to 1 ÷ rate is at most `rate` (Ville's
inequality), however often one looks. A lot of capital means that something changed.

Sources: Vovk, Petej, Nouretdinov, Ahlberg, Carlsson, Gammerman, "Retrain or not retrain: conformal test martingales
for change-point detection" (COPA 2021, PMLR 152); Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World"
(2nd edition 2022, chapter 8). The bets are those of the "Simple Jumper" of the former, with the likelihood ratios of a
shifted normal distribution in place of its straight lines.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.drift import DriftFinding, DriftKind, ErrorRecord
from forecasting.terms.errors import Excuse, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_RECORD = 20
"""Recorded errors below which a change cannot be told from chance."""
SHIFTS = (0.5, 1.0, 1.5)
"""Shifts of the normal scores of the ranks that are bet on, upwards and downwards."""
JUMP = 0.01
"""Share of the capital dealt anew over all bets at each step: a change is expected about once in 100 slices."""
TESTS: tuple[DriftKind, ...] = ("bias", "scale", "coverage")
"""What is tested; each gets an equal part of the false alarm rate."""


def error_record(
    actual: NDArray[np.float64],
    median: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    *,
    scale: float = 1.0,
) -> ErrorRecord:
    """Return the record of forecasts and what came, one origin after the other.

    Parameters
    ----------
    actual, median, lower, upper : ndarray, shape (horizon,) or (origins, horizon)
        Outcomes (NaN where unknown), median forecasts and the ends of the 80 % interval; origins in the order of time,
        their windows best not overlapping.
    scale : float
        Unit of the errors, above 0: the same for what is recorded and for what comes later.

    Examples
    --------
    >>> actual, median = np.array([5.0, 9.0]), np.array([4.0, 4.0])
    >>> r = error_record(actual, median, np.array([1.0, 1.0]), np.array([6.0, 6.0]), scale=2.0)
    >>> r.errors, r.inside
    (array([0.5, 2.5]), array([ True, False]))
    """
    if not scale > 0:
        raise InputError(argument="scale", came=scale, allowed="above 0", try_instead="1.0")
    inside = (actual >= lower) & (actual <= upper)
    return ErrorRecord(errors=np.ravel((actual - median) / scale), inside=np.ravel(inside))


def check_drift(
    recorded: ErrorRecord,
    since: ErrorRecord,
    *,
    seed: int,
    false_alarm_rate: float = 0.05,
    times: Sequence[datetime] | None = None,
) -> DriftFinding | Excuse:
    """Say whether the errors since a model was chosen differ from those recorded then.

    Three things are watched: the mean error (bias), the size of the errors (scale) and how often outcomes leave the
    80 % interval (coverage). Each is called drift at 3 ÷ `false_alarm_rate`, so that all three together raise a false
    alarm on at most that share of unchanged series, over all time. Errors that depend on the one before are taken
    apart first, by the lag-1 autocorrelation of the recorded errors (for the coverage: by blocks of slices).

    Simulated with 112 recorded errors and 56 since (two horizons of 28 days), normal, 200 series each: 1 % false alarms
    and 99 % of the shifts by one standard deviation found; with a lag-1 autocorrelation of 0.3, 0.6 and 0.8, 3 % false
    alarms and 86, 48 and 33 % found. With 56 recorded and 28 since (horizons of 14): 2 % and 76 %. Over 500 slices 2 to
    5 % false alarms for normal, t(3), Poisson and log-normal errors. Memory is the limit there: 4, 7 and 12 % at 0.3,
    0.6 and 0.8, because the autocorrelation itself is estimated.

    Parameters
    ----------
    recorded : ErrorRecord
        Out-of-fold errors when the model was chosen, in the order of time; 20 known ones at least.
    since : ErrorRecord
        Errors of the forecasts in force since then, in the same unit and in the order of time.
    seed : int
        Ties between ranks are broken at random; same seed, same finding.
    false_alarm_rate : float
        Above 0 and below 1.
    times : sequence of datetime, optional
        Time of each slice of `since`, to date the finding.

    Returns
    -------
    DriftFinding or Excuse
        The kind is that of the test that passed its limit first. An excuse where too few errors were recorded.

    Raises
    ------
    InputError
        If `false_alarm_rate` is out of range or `times` has another length than the errors.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> def record(errors):
    ...     return ErrorRecord(errors=errors, inside=np.abs(errors) < 1.2816)
    >>> before = record(rng.normal(size=112))
    >>> check_drift(before, record(rng.normal(size=56)), seed=1).kind
    'none'
    >>> finding = check_drift(before, record(rng.normal(1.0, 1.0, size=56)), seed=1)
    >>> finding.kind, finding.found < 56
    ('bias', True)
    """
    if not 0 < false_alarm_rate < 1:
        raise InputError(
            argument="false_alarm_rate", came=false_alarm_rate, allowed="above 0 and below 1", try_instead="0.05"
        )
    if times is not None and len(times) != len(since.errors):
        raise InputError(
            argument="times",
            came=f"{len(times)} times",
            allowed=f"{len(since.errors)}, one for each error since",
            try_instead="the slice starts of the errors",
        )
    if recorded.known < LEAST_RECORD:
        return Excuse(
            reason=f"{recorded.known} errors recorded, {LEAST_RECORD} needed to know what is usual",
            what_would_help="a back-test with more origins",
        )
    limit = len(TESTS) / false_alarm_rate
    known = np.flatnonzero(~np.isnan(since.errors))
    capitals = [np.exp(path) for path in _log_capitals(recorded, since, known, seed)]
    crossed = [int(np.argmax(c >= limit)) if (c >= limit).any() else len(known) for c in capitals]
    first = min(crossed)
    if first == len(known):
        statistic = max((float(c.max()) for c in capitals if len(c)), default=0.0)
        advice = f"keep the model: {len(known)} errors since it was chosen are like the {recorded.known} before"
        return DriftFinding(
            kind="none", statistic=statistic, limit=limit, since=None, found=None, what_to_do=advice,
            false_alarm_rate=false_alarm_rate,
        )  # fmt: skip
    best = max((i for i in range(len(TESTS)) if crossed[i] == first), key=lambda i: float(capitals[i][first]))
    # The evidence is weakest just before the change: from there on it only grew.
    began = min(int(np.argmin(np.concatenate(([1.0], capitals[best][: first + 1])))), first)
    slot, found = int(known[began]), int(known[first])
    return DriftFinding(
        kind=TESTS[best],
        statistic=float(capitals[best].max()),
        limit=limit,
        since=slot,
        found=found,
        what_to_do=_advice(TESTS[best], recorded, since, slot),
        false_alarm_rate=false_alarm_rate,
        since_at=None if times is None else times[slot],
    )


def _log_capitals(
    recorded: ErrorRecord, since: ErrorRecord, known: NDArray[np.int64], seed: int
) -> list[NDArray[np.float64]]:
    """Log of the capital of each test after every known error since."""
    rng = np.random.default_rng(seed)
    old_known = ~np.isnan(recorded.errors)
    old, new = recorded.errors[old_known], since.errors[known]
    memory = _memory(old)
    joined = np.concatenate((old, new))
    fresh = joined.copy()
    fresh[1:] -= memory * joined[:-1]
    missed = ~np.concatenate((recorded.inside[old_known], since.inside[known]))
    start = len(old)
    sizes = np.abs(fresh - float(np.median(fresh[:start])))
    outside, first = _blocks(missed.astype(np.float64), start)
    paths = [_jumper(_scores(fresh, start, rng)), _jumper(_scores(sizes, start, rng))]
    by_block = _jumper(_scores(outside, first, rng))
    # A block is judged at its last slice; until then the capital is what it was.
    length = max(_block_length(missed[:start].astype(np.float64)), 1)
    spread = np.concatenate(([0.0], by_block))[np.minimum((np.arange(len(new)) + 1) // length, len(by_block))]
    return [*paths, spread]


def _memory(errors: NDArray[np.float64]) -> float:
    """Lag-1 autocorrelation, 0 where it may be chance, its bias in short records removed (Kendall 1954)."""
    n = len(errors)
    centred = errors - errors.mean()
    power = float(centred @ centred)
    r = float(centred[1:] @ centred[:-1] / power) if power > 0 else 0.0
    return float(np.clip(r + (1 + 3 * r) / n, -0.95, 0.95)) if abs(r) > 1 / np.sqrt(n) else 0.0


def _block_length(missed: NDArray[np.float64]) -> int:
    """Slices whose sum hardly depends on the sum of those before: 2 · (1 + r) ÷ (1 − r) for lag-1 correlation r."""
    r = _memory(missed)
    return min(round(2 * (1 + r) / (1 - r)), max(len(missed) // 10, 1)) if r > 0 else 1


def _blocks(missed: NDArray[np.float64], start: int) -> tuple[NDArray[np.float64], int]:
    """Share outside by block of slices, and how many blocks lie before `start`; blocks do not span `start`."""
    length = max(_block_length(missed[:start]), 1)
    before, after = start // length, (len(missed) - start) // length
    old = missed[start - before * length : start].reshape(before, length).mean(axis=1)
    new = missed[start : start + after * length].reshape(after, length).mean(axis=1)
    return np.concatenate((old, new)), before


def _scores(values: NDArray[np.float64], start: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Normal scores of the rank of each value from `start` on among all up to it, ties broken at random."""
    from scipy.special import ndtri

    count = len(values) - start
    if count <= 0:
        return np.empty(0)
    ordered = np.sort(values[:start]).tolist()
    p = np.empty(count)
    for i, (value, tie) in enumerate(zip(values[start:].tolist(), rng.uniform(size=count).tolist(), strict=True)):
        below, upto = bisect_left(ordered, value), bisect_right(ordered, value)
        p[i] = (below + tie * (upto - below + 1)) / (start + i + 1)
        ordered.insert(upto, value)
    return np.asarray(ndtri(np.clip(p, 1e-12, 1 - 1e-12)), dtype=np.float64)


def _jumper(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log capital after each score, bet on shifts of a normal distribution, part of it dealt anew at each step."""
    shifts = np.array([0.0, *SHIFTS, *(-s for s in SHIFTS)])
    gains = np.exp(shifts[None, :] * scores[:, None] - shifts[None, :] ** 2 / 2)
    share = np.full(len(shifts), 1 / len(shifts))
    logs, total = np.empty(len(scores)), 0.0
    for i, gain in enumerate(gains):
        share = ((1 - JUMP) * share + JUMP / len(shifts)) * gain
        grown = float(share.sum())
        total += float(np.log(grown))
        share /= grown
        logs[i] = total
    return logs


def _advice(kind: DriftKind, recorded: ErrorRecord, since: ErrorRecord, slot: int) -> str:
    """What to do, with the numbers from the change on."""
    later = ErrorRecord(errors=since.errors[slot:], inside=since.inside[slot:])
    if kind == "bias":
        change = f"the mean error went from {recorded.bias:.3g} to {later.bias:.3g}"
        then = "refit; if the level moved for good (a launch, a migration), tell the forecast of it as an event"
    elif kind == "scale":
        change = f"the mean absolute error went from {recorded.scale:.3g} to {later.scale:.3g}"
        then = "refit and choose the model anew"
    else:
        change = f"the 80% interval held {recorded.coverage80:.0%} of the outcomes and now holds {later.coverage80:.0%}"
        then = "calibrate the intervals anew on recent errors; refit if the mean error moved too"
    return f"{change} ({later.known} slices since it began): {then}".replace("%", " %")

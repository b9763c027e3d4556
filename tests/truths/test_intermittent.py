"""Intermittent demand: closed forms by hand and by plain loops, and quantiles that cover simulated demand."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.forecasts.intermittent import intermittent_members, intermittent_quantiles, sba, tsb, zero_share
from forecasting.forecasts.scores import pinball
from forecasting.terms.errors import InputError

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def tsb_by_loop(row: np.ndarray, alpha: float, beta: float) -> float:
    row = row[~np.isnan(row)]
    p, z = float(np.mean(row > 0)), float(row[row > 0].mean())
    for y in row:
        p += beta * (float(y > 0) - p)
        if y > 0:
            z += alpha * (y - z)
    return p * z


def sba_by_loop(row: np.ndarray, alpha: float) -> float:
    row = row[~np.isnan(row)]
    z = q = None
    since = 0
    for y in row:
        since += 1
        if y > 0:
            z = y if z is None else z + alpha * (y - z)
            q = since if q is None else q + alpha * (since - q)
            since = 0
    return 0.0 if z is None or q is None else (1 - alpha / 2) * z / q


def simulated(rng: np.random.Generator, series: int, length: int, season: int = 7) -> np.ndarray:
    shape = np.resize([0.1, 0.3, 0.6, 0.6, 0.4, 0.1, 0.05][:season], length)
    chance = np.clip(shape * rng.uniform(0.5, 1.4, (series, 1)), 0, 1)
    sizes = 1 + rng.poisson(rng.uniform(0.5, 6, (series, 1)), (series, length))
    return np.where(rng.random((series, length)) < chance, sizes, 0).astype(float)


def test_tsb_by_hand() -> None:
    # Begun at p = 1/3 and size 3; no demand, demand of 3, no demand; both constants 0.2.
    p = (1 / 3 * 0.8 * 0.8 + 0.2) * 0.8
    assert tsb(np.array([[0.0, 3.0, 0.0]]), 2, alpha=0.2, beta=0.2) == pytest.approx(np.full((1, 2), p * 3.0))


def test_sba_by_hand() -> None:
    # sizes 2 then 6: 2 + .1 · 4 = 2.4; intervals 1 then 3: 1.2; (1 − .05) · 2.4 / 1.2
    assert sba(np.array([[2.0, 0.0, 0.0, 6.0, 0.0]]), 1)[0, 0] == pytest.approx(1.9)


def test_closed_forms_are_the_recursions() -> None:
    rng = np.random.default_rng(5)
    windows = simulated(rng, 25, 90)
    windows[:8, :40] = np.nan
    windows[8:12][rng.random((4, 90)) < 0.2] = np.nan
    assert tsb(windows, 1, alpha=0.15, beta=0.3)[:, 0] == pytest.approx([tsb_by_loop(w, 0.15, 0.3) for w in windows])
    assert sba(windows, 1, alpha=0.15)[:, 0] == pytest.approx([sba_by_loop(w, 0.15) for w in windows])


def test_a_series_that_dies_out() -> None:
    row = np.concatenate((np.tile([0.0, 5.0], 60), np.zeros(60)))[None, :]
    members = intermittent_members(row, 3, (7,))
    assert members["tsb"].max() < 0.02  # 60 slices of smoothing by .1
    assert members["sba"].min() > 2  # Croston does not see the end; TSB was made for this
    assert intermittent_quantiles(row, 3, (7,), (0.5, 0.9)).max() == 0


def test_nothing_known_and_never_any_demand() -> None:
    windows = np.array([[np.nan] * 30, [0.0] * 30])
    for forecast in (
        *intermittent_members(windows, 4, (7,)).values(),
        intermittent_quantiles(windows, 4, (7,), LEVELS),
    ):
        assert np.isnan(forecast[0]).all()
        assert (forecast[1] == 0).all()
    assert np.isnan(zero_share(windows)[0])
    assert zero_share(windows)[1] == 1


@pytest.mark.parametrize("what", ["poisson", "geometric"])
def test_quantiles_cover_as_they_say(what: str) -> None:
    rng = np.random.default_rng(11)
    draw = rng.poisson(0.6, (400, 214)) if what == "poisson" else rng.geometric(0.57, (400, 214)) - 1
    values = draw.astype(float)
    quantiles = intermittent_quantiles(values[:, :200], 14, (7,), LEVELS)
    outcome = values[:, 200:, None]
    at_most, below = (outcome <= quantiles).mean(axis=(0, 1)), (outcome < quantiles).mean(axis=(0, 1))
    # Of whole numbers a quantile q of level t has P(Y < q) <= t <= P(Y <= q).
    assert (below <= np.array(LEVELS) + 0.015).all()
    assert (at_most >= np.array(LEVELS) - 0.015).all()
    exact = np.quantile(values[:, :200], LEVELS, method="inverted_cdf")
    assert np.abs(np.median(quantiles, axis=(0, 1)) - exact).max() == 0


def test_pinball_is_lower_than_seasonal_naive_and_than_ignoring_the_week() -> None:
    values = simulated(np.random.default_rng(3), 200, 210 + 14)
    past, outcome = values[:, :210], values[:, 210:, None]
    naive = np.repeat(np.tile(past[:, -7:], 2)[:, :, None], len(LEVELS), axis=2)
    loss = [
        float(pinball(outcome, quantiles, np.array(LEVELS)).mean())
        for quantiles in (
            intermittent_quantiles(past, 14, (7,), LEVELS),
            intermittent_quantiles(past, 14, (), LEVELS),
            naive,
        )
    ]
    assert loss[0] < 0.97 * loss[1]
    assert loss[0] < 0.65 * loss[2]


def test_means_see_the_week() -> None:
    values = simulated(np.random.default_rng(4), 300, 210 + 7)
    members = intermittent_members(values[:, :210], 7, (7,))
    squared = {name: float(((members[name] - values[:, 210:]) ** 2).mean()) for name in members}
    assert squared["hurdle_mean"] < min(squared["tsb"], squared["sba"])
    absolute = {name: float(np.abs(members[name] - values[:, 210:]).mean()) for name in members}
    assert absolute["hurdle_median"] == min(absolute.values())


def test_rows_do_not_know_each_other_and_scale() -> None:
    windows = simulated(np.random.default_rng(6), 12, 150)
    windows[:5, :70] = np.nan
    before = windows.copy()
    together = intermittent_quantiles(windows, 10, (7, 28), LEVELS)
    alone = np.concatenate([intermittent_quantiles(row[None, :], 10, (7, 28), LEVELS) for row in windows])
    assert np.array_equal(together, alone)
    assert np.array_equal(windows, before, equal_nan=True)
    assert (np.diff(together, axis=2) >= 0).all()
    assert (together == np.floor(together)).all()
    broken = windows * 0.5 + np.where(windows > 0, 0.125, 0.0)  # no whole numbers: scale moves everything alike
    assert intermittent_quantiles(broken * 0.25, 10, (7,), LEVELS) == pytest.approx(
        0.25 * intermittent_quantiles(broken, 10, (7,), LEVELS)
    )


def test_the_phase_is_that_of_the_slices_ahead() -> None:
    # Demand every seventh slice; the window ends two slices after one, so that the next is the fifth ahead.
    row = np.zeros(142)
    row[0::7] = 4.0
    assert (142 - 1 - np.flatnonzero(row)[-1]) == 1
    ahead = intermittent_quantiles(row[None, :], 7, (7,), (0.5,))[0, :, 0]
    assert ahead.tolist() == [0, 0, 0, 0, 0, 4, 0]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        intermittent_quantiles(np.zeros(5), 1, (), (0.5,))
    with pytest.raises(InputError, match="levels"):
        intermittent_quantiles(np.zeros((1, 5)), 1, (), (1.5,))
    with pytest.raises(InputError, match="h: got 0"):
        tsb(np.zeros((1, 5)), 0)

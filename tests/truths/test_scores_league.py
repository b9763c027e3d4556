"""A league's numbers against an independent plain loop over series, windows, steps and levels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, isnan, log

import numpy as np
import pytest

from forecasting.forecasts.compare import compare_entries
from forecasting.forecasts.league import (
    LEAGUE_LEVELS,
    REFERENCE,
    EntryForecasts,
    Outcomes,
    naive_entry,
    score_league,
)
from forecasting.terms.errors import InputError
from forecasting.terms.league import League, LeagueRow

LEVELS = [round(float(level), 3) for level in LEAGUE_LEVELS]
SEASON, HORIZON, WINDOWS, SERIES = 7, 5, 3, 9


@dataclass(frozen=True)
class Made:
    """A league and what it was made of."""

    league: League
    outcomes: Outcomes
    naive: EntryForecasts
    entry: EntryForecasts
    pasts: list[list[np.ndarray]]


def entry_of(outcomes: Outcomes, seed: int, name: str = "other") -> EntryForecasts:
    rng = np.random.default_rng(seed)
    shape = (*outcomes.actual.shape[:2], len(LEVELS), outcomes.actual.shape[2])
    middle = np.nan_to_num(outcomes.actual, nan=20.0)[:, :, None, :] + rng.normal(0, 2, (*shape[:2], 1, shape[3]))
    return EntryForecasts(
        name=name,
        quantiles=middle + np.sort(rng.normal(0, 3, shape), axis=2),
        cpu_seconds=np.full(shape[:2], 0.25),
        fallback=np.zeros(shape[:2], dtype=bool),
    )


@pytest.fixture(scope="module")
def made() -> Made:
    rng = np.random.default_rng(11)
    pasts, actual = [], np.full((SERIES, WINDOWS, HORIZON), np.nan)
    for i in range(SERIES):
        values = 20 + 5 * np.resize(rng.normal(size=SEASON), 90) + rng.normal(0, 1 + i, 90)
        if i == 4:
            values[:] = 3.0  # constant: cannot be scaled
        cuts = [90 - (WINDOWS - w) * HORIZON for w in range(WINDOWS)]
        pasts.append([values[:cut] for cut in cuts])
        for w, cut in enumerate(cuts):
            actual[i, w] = values[cut : cut + HORIZON]
    naive, scales = naive_entry(pasts, [SEASON] * SERIES, HORIZON, WINDOWS)
    outcomes = Outcomes(
        series=tuple((f"s{i}", "m") for i in range(SERIES)),
        strata=tuple("ab"[i % 2] for i in range(SERIES)),
        actual=actual,
        scales=scales,
    )
    entry = entry_of(outcomes, 5)
    entry.quantiles[2, 1] = np.nan  # one forecast that never came
    league = score_league(outcomes, naive, [entry], seed=1)
    return Made(league, outcomes, naive, entry, pasts)


def plain(made: Made, quantiles: np.ndarray) -> dict[str, list[float]]:
    """The public harness's numbers of each series, in loops: mean over windows of the mean over steps."""
    out: dict[str, list[float]] = {k: [] for k in ("mase", "sql", "msis", "c80", "c95", "smape", "ql", "absy", "bias")}
    for i in range(SERIES):
        windows: dict[str, list[float]] = {k: [] for k in out}
        for w in range(WINDOWS):
            past = made.pasts[i][w]
            steps = [abs(past[t] - past[t - SEASON]) for t in range(SEASON, len(past))]
            scale = sum(steps) / len(steps)
            scale = scale if scale > 1e-9 * max(abs(v) for v in past) else float("nan")
            sums = dict.fromkeys(out, 0.0)
            for h in range(HORIZON):
                y = made.outcomes.actual[i, w, h]
                q = {level: quantiles[i, w, k, h] for k, level in enumerate(LEVELS)}
                if isnan(q[0.5]):
                    q = {level: made.naive.quantiles[i, w, k, h] for k, level in enumerate(LEVELS)}
                losses = [
                    2 * (t * (y - q[t]) if y >= q[t] else (1 - t) * (q[t] - y)) for t in LEVELS if t in
                    (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
                ]  # fmt: skip
                lo, hi = q[0.025], q[0.975]
                wide = (hi - lo) + (2 / 0.05 * (lo - y) if y < lo else 0) + (2 / 0.05 * (y - hi) if y > hi else 0)
                sums["mase"] += abs(y - q[0.5]) / scale
                sums["sql"] += sum(losses) / 9 / scale
                sums["msis"] += wide / scale
                sums["bias"] += (q[0.5] - y) / scale
                sums["c80"] += q[0.1] <= y <= q[0.9]
                sums["c95"] += lo <= y <= hi
                sums["smape"] += 200 * abs(y - q[0.5]) / (abs(y) + abs(q[0.5]))
                sums["ql"] += sum(losses) / 9
                sums["absy"] += abs(y)
            for k, total in sums.items():
                windows[k].append(total / HORIZON)
        for k, values in windows.items():
            out[k].append(sum(values) / WINDOWS)
    return out


def mean(values: list[float]) -> float:
    known = [v for v in values if not isnan(v)]
    return sum(known) / len(known)


def relative(own: list[float], base: list[float]) -> float:
    logs = [log(min(max(a / b, 0.01), 100)) for a, b in zip(own, base, strict=True) if not isnan(a) and b > 0]
    return exp(sum(logs) / len(logs))


@pytest.mark.parametrize("which", ["other", REFERENCE])
def test_league_equals_the_plain_loop(made: Made, which: str) -> None:
    row = made.league.row(which)
    assert row is not None
    base = plain(made, made.naive.quantiles)
    own = plain(made, made.entry.quantiles) if which == "other" else base
    assert row.gm_sql == pytest.approx(relative(own["sql"], base["sql"]))
    assert row.gm_mase == pytest.approx(relative(own["mase"], base["mase"]))
    assert row.sql == pytest.approx(mean(own["sql"]))
    assert row.mase == pytest.approx(mean(own["mase"]))
    assert row.msis95 == pytest.approx(mean(own["msis"]))
    assert row.bias == pytest.approx(mean(own["bias"]))
    assert row.smape == pytest.approx(mean(own["smape"]))
    assert row.wql == pytest.approx(sum(own["ql"]) / sum(own["absy"]))
    assert row.coverage_at(0.8) == pytest.approx(mean(own["c80"]))
    assert row.coverage_at(0.95) == pytest.approx(mean(own["c95"]))
    worse = [a > b for a, b in zip(own["sql"], base["sql"], strict=True) if not isnan(a)]
    assert row.worse_than_naive == pytest.approx(sum(worse) / len(worse) if which == "other" else 0)
    assert (row.series, row.scored) == (SERIES, SERIES - 1)
    np.testing.assert_allclose(made.league.sql[made.league.entries.index(which)], own["sql"])


def test_missing_forecasts_are_replaced_and_counted(made: Made) -> None:
    row = made.league.row("other")
    assert row is not None
    assert row.replaced_rate == row.fallback_rate == pytest.approx(1 / (SERIES * WINDOWS))
    assert row.cpu_seconds == pytest.approx(0.25)


def test_coverage_by_bucket_and_stratum(made: Made) -> None:
    row = made.league.row("other")
    assert row is not None
    q = np.where(np.isnan(made.entry.quantiles), made.naive.quantiles, made.entry.quantiles)
    inside = (made.outcomes.actual >= q[:, :, LEVELS.index(0.25)]) & (
        made.outcomes.actual <= q[:, :, LEVELS.index(0.75)]
    )
    cells = [c for c in row.coverage if c.level == 0.5]
    assert [(c.first_step, c.last_step, c.stratum) for c in cells] == [
        (1, 5, ""), (1, 1, ""), (2, 2, ""), (3, 4, ""), (5, 5, ""), (1, 5, "a"), (1, 5, "b"),
    ]  # fmt: skip
    assert cells[3].share == pytest.approx(inside[:, :, 2:4].mean())
    assert cells[6].share == pytest.approx(inside[1::2].mean())
    assert cells[6].outcomes == 4 * WINDOWS * HORIZON
    assert dict(row.calibration)[0.9] == pytest.approx((made.outcomes.actual <= q[:, :, LEVELS.index(0.9)]).mean())


def test_unknown_outcomes_do_not_count(made: Made) -> None:
    actual = made.outcomes.actual.copy()
    actual[:, :, 3:] = np.nan
    actual[0, 0] = np.nan
    cut = score_league(replace(made.outcomes, actual=actual), made.naive, [made.entry], seed=1)
    row = cut.row("other")
    assert row is not None
    assert row.coverage[0].outcomes == (SERIES * WINDOWS - 1) * 3
    assert np.isfinite([row.gm_sql, row.msis95, row.bias]).all()


def test_an_entry_of_another_shape_or_twice_is_refused(made: Made) -> None:
    with pytest.raises(InputError, match="quantiles of shape"):
        score_league(made.outcomes, made.naive, [replace(made.entry, quantiles=np.zeros((1, 1, 15, 5)))], seed=1)
    with pytest.raises(InputError, match="each name once"):
        score_league(made.outcomes, made.naive, [made.entry, made.entry], seed=1)


def test_comparison_by_hand_and_in_words(made: Made) -> None:
    c = compare_entries(made.league, "other", REFERENCE, seed=2)
    row = made.league.row("other")
    assert row is not None
    assert c.ratio == pytest.approx(row.gm_sql)  # against the reference the paired ratio is the league's
    assert c.series == SERIES - 1
    assert c.low <= c.ratio <= c.high
    assert c.verdict.startswith("other is better" if c.high < 1 else "no clear" if c.low < 1 else "other is worse")
    with pytest.raises(InputError, match="others"):
        compare_entries(made.league, "others", REFERENCE, seed=2)
    alone = compare_entries(made.league, "other", "other", seed=2)
    assert (alone.ratio, alone.first_better, alone.wins) == (1, 0.5, 0.5)
    assert alone.verdict.startswith("no clear difference")


def test_bootstrap_interval_of_a_comparison_covers_the_truth() -> None:
    """95 % intervals of 200 simulated comparisons hold the true ratio in 90 to 98 % (the bootstrap of 30 is a little
    narrow), and a true tie is called a difference in at most 1 of 10."""
    held, called = 0, 0
    for k in range(200):
        logs = np.random.default_rng(k).normal(0.0, 0.3, 30)
        scores = np.stack((np.exp(logs), np.ones(30)))
        rows = tuple(replace(ANY_ROW, entry=name) for name in ("a", "b"))
        league = League(
            rows=rows, reference="b", series=(("s", "m"),) * 30, strata=("",) * 30, sql=scores, mase=scores,
            msis95=scores, coverage80=scores, bias=scores, horizon=1, origins=3, seed=1,
        )  # fmt: skip
        c = compare_entries(league, "a", "b", seed=k, draws=1000)
        held += c.low <= 1 <= c.high
        called += not c.verdict.startswith("no clear")
    assert 180 <= held <= 196
    assert called == 200 - held


def _any_row() -> LeagueRow:
    naive, scales = naive_entry([[np.array([1.0, 5.0, 2.0, 7.0])]], [2], 2, 1)
    outcomes = Outcomes(series=(("a", "m"),), strata=("",), actual=np.array([[[3.0, 7.0]]]), scales=scales)
    return score_league(outcomes, naive, (), seed=1).rows[0]


ANY_ROW = _any_row()

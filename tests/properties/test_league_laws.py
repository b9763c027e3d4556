"""Laws of the league: invariant to units, order and names; consistent with itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.forecasts.compare import compare_entries
from forecasting.forecasts.league import (
    LEAGUE_LEVELS,
    REFERENCE,
    EntryForecasts,
    Outcomes,
    naive_entry,
    rolling_origins,
    score_league,
)
from forecasting.terms.league import League

few = settings(derandomize=True, max_examples=25, deadline=None)
Case = tuple[Outcomes, EntryForecasts, list[EntryForecasts]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    seed = draw(st.integers(0, 10_000))
    series, origins, horizon = draw(st.integers(1, 7)), draw(st.integers(1, 3)), draw(st.integers(1, 9))
    gaps, entries = draw(st.sampled_from([0.0, 0.3])), draw(st.integers(1, 3))
    rng = np.random.default_rng(seed)
    pasts = [[rng.normal(5, 2, 30) * 10.0 ** rng.integers(-3, 4) for _ in range(origins)] for _ in range(series)]
    naive, scales = naive_entry(pasts, [7] * series, horizon, origins)
    level = np.array([[part.std() for part in parts] for parts in pasts])[:, :, None]
    actual = 5 + level * rng.normal(size=(series, origins, horizon))
    actual[rng.uniform(size=actual.shape) < gaps] = np.nan
    outcomes = Outcomes(
        series=tuple((f"s{i}", "m") for i in range(series)),
        strata=tuple("xy"[i % 2] for i in range(series)),
        actual=actual,
        scales=scales,
    )
    others = []
    for k in range(entries):
        shape = (series, origins, len(LEAGUE_LEVELS), horizon)
        quantiles = 5 + level[:, :, None] * np.sort(rng.normal(size=shape), axis=2)
        quantiles[rng.uniform(size=(series, origins)) < gaps] = np.nan
        others.append(
            EntryForecasts(
                name=f"e{k}", quantiles=quantiles, cpu_seconds=rng.uniform(size=shape[:2]),
                fallback=rng.uniform(size=shape[:2]) < gaps,
            )
        )  # fmt: skip
    return outcomes, naive, others


def numbers(league: League, entry: str) -> list[float]:
    row = league.row(entry)
    assert row is not None
    return [
        row.gm_sql, row.gm_sql_low, row.gm_sql_high, row.gm_mase, row.sql, row.mase, row.msis95, row.bias,
        row.worse_than_naive, row.fallback_rate, row.cpu_seconds, *(c.share for c in row.coverage),
    ]  # fmt: skip


@few
@given(cases(), st.sampled_from([1e-6, 0.1, 1e6]))
def test_units_do_not_matter(case: Case, factor: float) -> None:
    outcomes, naive, others = case
    before = score_league(outcomes, naive, others, seed=1, draws=50)
    after = score_league(
        replace(outcomes, actual=outcomes.actual * factor, scales=outcomes.scales * factor),
        replace(naive, quantiles=naive.quantiles * factor),
        [replace(e, quantiles=e.quantiles * factor) for e in others],
        seed=1,
        draws=50,
    )
    for entry in others:
        np.testing.assert_allclose(numbers(after, entry.name), numbers(before, entry.name), rtol=1e-7)


@few
@given(cases(), st.integers(0, 100))
def test_order_of_series_and_entries_does_not_matter(case: Case, seed: int) -> None:
    outcomes, naive, others = case
    order = np.random.default_rng(seed).permutation(len(outcomes.series))
    before = score_league(outcomes, naive, others, seed=1, draws=50)

    def moved(entry: EntryForecasts) -> EntryForecasts:
        return replace(
            entry,
            quantiles=entry.quantiles[order],
            cpu_seconds=entry.cpu_seconds[order],
            fallback=entry.fallback[order],
        )

    shuffled = Outcomes(
        series=tuple(outcomes.series[i] for i in order),
        strata=tuple(outcomes.strata[i] for i in order),
        actual=outcomes.actual[order],
        scales=outcomes.scales[order],
    )
    after = score_league(shuffled, moved(naive), [moved(e) for e in reversed(others)], seed=1, draws=50)
    for entry in others:
        a, b = before.row(entry.name), after.row(entry.name)
        assert a is not None
        assert b is not None
        wanted = (a.gm_sql, a.gm_mase, a.msis95, a.worse_than_naive)
        assert (b.gm_sql, b.gm_mase, b.msis95, b.worse_than_naive) == pytest.approx(wanted, nan_ok=True)


@few
@given(cases())
def test_the_reference_against_itself_and_bounds(case: Case) -> None:
    outcomes, naive, others = case
    twin = replace(naive, name="twin")
    nothing = replace(naive, name="nothing", quantiles=np.full_like(naive.quantiles, np.nan))
    league = score_league(outcomes, naive, [*others, twin, nothing], seed=1, draws=50)
    known = int((~np.isnan(outcomes.actual).all(axis=2)).sum())
    for name in ("twin", "nothing", REFERENCE):
        row = league.row(name)
        assert row is not None
        if row.scored:
            assert (row.gm_sql, row.gm_mase, row.worse_than_naive, row.skill) == pytest.approx((1, 1, 0, 0))
            assert row.owa == pytest.approx(1)
        assert row.replaced_rate == (1.0 if name == "nothing" and known else 0.0)
    values = [row.gm_sql for row in league.rows if row.scored]
    assert values == sorted(values)
    for row in league.rows:
        if row.scored:
            assert 0.01 <= row.gm_sql <= 100
            assert row.gm_sql_low <= row.gm_sql_high
        if known:
            shares = [row.coverage_at(level) for level in (0.5, 0.8, 0.9, 0.95)]
            assert shares == sorted(shares)
            assert row.replaced_rate <= row.fallback_rate + 1e-12


@few
@given(cases(), st.integers(0, 5))
def test_swapping_the_two_inverts_a_comparison(case: Case, seed: int) -> None:
    outcomes, naive, others = case
    league = score_league(outcomes, naive, others, seed=1, draws=50)
    one = compare_entries(league, others[0].name, REFERENCE, seed=seed, draws=200)
    two = compare_entries(league, REFERENCE, others[0].name, seed=seed, draws=200)
    if one.series:
        assert (one.ratio, one.low, one.high) == pytest.approx((1 / two.ratio, 1 / two.high, 1 / two.low))
        assert one.first_better == pytest.approx(1 - two.first_better)
        assert one.wins == pytest.approx(1 - two.wins)
    again = compare_entries(league, others[0].name, REFERENCE, seed=seed, draws=200)
    assert again == one or one.series == 0


@few
@given(cases())
def test_worse_forecasts_score_worse(case: Case) -> None:
    """Moved away from what came, every series' losses grow."""
    outcomes, naive, _ = case
    near = replace(naive, name="near", quantiles=np.nan_to_num(outcomes.actual)[:, :, None, :] + 0 * naive.quantiles)
    far = replace(near, name="far", quantiles=near.quantiles + outcomes.scales[:, :, None, None])
    league = score_league(outcomes, naive, [near, far], seed=1, draws=50)
    sql = dict(zip(league.entries, league.sql, strict=True))
    known = ~np.isnan(sql["near"])
    np.testing.assert_allclose(sql["near"][known], 0, atol=1e-9)
    # Every quantile is one scale too high: mean over deciles of 2 · (1 − q) = 1.
    np.testing.assert_allclose(sql["far"][known], 1.0)


@few
@given(st.integers(1, 2000), st.integers(1, 300), st.integers(1, 170), st.integers(1, 12))
def test_origins_leave_what_they_must(length: int, horizon: int, season: int, count: int) -> None:
    origins = rolling_origins(length, horizon, season, count)
    assert len(origins) <= count
    assert list(origins) == sorted(set(origins))
    if origins:
        assert origins[-1] == length - horizon
        assert origins[0] >= max(2 * season, 8)
        gaps = set(np.diff(origins).tolist())
        assert len(gaps) <= 1
        assert season == 1 or all(gap % season for gap in gaps)
        assert all(gap <= max(horizon, 1) + (horizon == 1) for gap in gaps)

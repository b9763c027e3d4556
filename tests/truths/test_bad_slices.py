"""The candidate of bad slices: rates and probabilities that follow in closed form from how the history was made."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, poisson

from forecasting.service_levels.breach.bad_slices import bad_slice_rate, draw_bad_slices
from forecasting.service_levels.breach.shares import ShareHistory, Span

MONTH = Span(elapsed=0, gap=0, length=30)


def history(bad: np.ndarray, total: np.ndarray) -> ShareHistory:
    """Daily slices of a group."""
    return ShareHistory(bad=bad, total=total, known=total > 0, year=364, week=7, block=3, full=365)


def outages(rate: np.ndarray, days: int, seed: int, lost: float = 0.1) -> ShareHistory:
    """Days on which a tenth of the events is lost, at a rate of each service, and nothing on the others."""
    out = np.random.default_rng(seed).random((len(rate), days)) < rate[:, None]
    total = np.full((len(rate), days), 1000.0)
    return history(np.where(out, lost * 1000.0, 0.0), total)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_one_service_of_independent_days_gets_the_binomial_probabilities(rate: float) -> None:
    """Over histories made alike: what of late happened by chance moves one of them, but not their mean.

    Rates are taken to vary from month to month as far as few outages leave that open, so that P(none) is a little high.
    """
    most = np.arange(int(30 * rate) + 4)
    shares = 0.1 * (most + 0.5) / 30
    said = [
        draw_bad_slices(outages(np.array([rate]), 3000, seed=s), MONTH, draws=2000, seed=1).exceed(shares[None])[0]
        for s in range(24)
    ]
    assert np.mean(said, axis=0) == pytest.approx(binom.sf(most, 30, rate), abs=0.06)


def test_services_of_one_kind_share_what_each_has_seen_too_little_of() -> None:
    """Twenty services with an outage every 200 days, half a year of each: one that had none is not without risk."""
    past = outages(np.full(20, 0.005), 180, seed=5)
    had = (past.bad > 0).sum(axis=1)
    made = draw_bad_slices(past, MONTH, draws=4000, seed=1).exceed(np.full((20, 1), 0.0005))[:, 0]
    truth = 1 - poisson.pmf(0, 30 * float((past.bad > 0).mean()))
    assert (had == 0).any()
    assert had.max() >= 2
    assert made[had == 0] == pytest.approx(truth, abs=0.08)
    assert made.mean() == pytest.approx(truth, abs=0.05)


def test_services_that_differ_keep_their_own_rates() -> None:
    rate = np.array([0.002, 0.2])
    past = outages(np.repeat(rate, 10), 1000, seed=7)
    made = draw_bad_slices(past, MONTH, draws=4000, seed=1).exceed(np.full((20, 1), 0.0005))[:, 0]
    assert made[:10].mean() == pytest.approx(1 - 0.998**30, abs=0.05)
    assert (made[10:] > 0.97).all()


def test_the_rate_follows_a_regime_that_began_two_months_ago() -> None:
    random = np.random.default_rng(11)
    regime = np.where(np.arange(1200) // 120 % 2 == 0, 0.02, 0.25)  # changes every 120 days, for all services
    out = random.random((30, 1140)) < regime[:1140]  # the cut-off lies 60 days into a bad regime
    past = history(np.where(out, 100.0, 0.0), np.full(out.shape, 1000.0))
    rate = bad_slice_rate(out, past.known, past, Span(elapsed=0, gap=0, length=14))
    assert 0.17 < rate.mean.mean() < 0.29
    quiet = past.until(1020)  # 60 days into a quiet one
    rate = bad_slice_rate(out[:, :1020], quiet.known, quiet, Span(elapsed=0, gap=0, length=14))
    assert rate.mean.mean() < 0.08


def test_a_service_without_a_bad_event_in_a_group_without_any_is_never_bad() -> None:
    past = outages(np.zeros(3), 400, seed=1)
    made = draw_bad_slices(past, MONTH, draws=200, seed=1)
    assert made.exceed(np.zeros((3, 1))).max() == 0
    assert made.exceed(np.full((3, 1), -0.1)).min() == 1


def test_nothing_known_at_all_is_answered_without_a_number_that_is_none() -> None:
    none = np.zeros((2, 5))
    past = ShareHistory(bad=none, total=none, known=none > 0, year=364, week=7, block=3, full=365)
    said = draw_bad_slices(past, MONTH, draws=50, seed=1).exceed(np.array([[0.0, 0.5], [0.0, 0.5]]))
    assert np.isfinite(said).all()


def test_draws_do_not_depend_on_the_order_of_members() -> None:
    past = outages(np.array([0.01, 0.05, 0.2]), 500, seed=2)
    turned = past.of(np.array([2, 0, 1]))
    straight = draw_bad_slices(past, MONTH, draws=300, seed=4).own
    np.testing.assert_allclose(draw_bad_slices(turned, MONTH, draws=300, seed=4).own, straight[[2, 0, 1]], atol=1e-12)

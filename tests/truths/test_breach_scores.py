"""Scores of statements on breaches: by hand, against scikit-learn, on simulated forecasters, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecasting.service_levels.breach.evaluate import OURS, evaluate
from forecasting.service_levels.breach.metrics import (
    Blocks,
    average_precision,
    brier,
    expected_calibration_error,
    log_loss,
)
from forecasting.terms.breach import RiskScore
from forecasting.terms.errors import Excuse
from forecasting.terms.service_level import Period
from forecasting.terms.track_record import Statement

P, Y = np.array([0.9, 0.8, 0.3, 0.2]), np.array([1.0, 0.0, 1.0, 0.0])


def test_scores_by_hand() -> None:
    assert brier(P, Y) == pytest.approx((0.01 + 0.64 + 0.49 + 0.04) / 4)
    assert log_loss(P, Y, paths=500) == pytest.approx(-np.mean(np.log([0.9, 0.2, 0.3, 0.8])))
    assert log_loss(np.array([0.0]), np.array([1.0]), paths=398) == pytest.approx(np.log(400))
    # Halves {0.2, 0.3} with one miss of two, and {0.8, 0.9} with one of two.
    assert expected_calibration_error(P, Y, bins=2) == pytest.approx((0.25 + 0.35) / 2)
    assert average_precision(P, Y) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision(P, np.zeros(4)) is None


def test_average_precision_and_log_loss_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, brier_score_loss
    from sklearn.metrics import log_loss as theirs

    random = np.random.default_rng(2)
    for _ in range(20):
        p = random.integers(1, 20, 60) / 20  # ties
        y = (random.random(60) < p).astype(float)
        assert average_precision(p, y) == pytest.approx(average_precision_score(y, p))
        assert brier(p, y) == pytest.approx(brier_score_loss(y, p))
        inside = np.clip(p, 0.05, 0.95)
        assert log_loss(inside, y, paths=500) == pytest.approx(theirs(y, inside))


def test_a_calibrated_forecaster_has_no_calibration_error_and_an_over_sure_one_has() -> None:
    random = np.random.default_rng(3)
    p = random.beta(1, 2, 40_000)
    y = (random.random(40_000) < p).astype(float)
    assert expected_calibration_error(p, y) < 0.01
    sure = np.clip(0.5 + 2 * (p - 0.5), 0, 1)
    assert expected_calibration_error(sure, y) > 0.08


def made(
    p: np.ndarray, y: np.ndarray, services: int, windows: int, *, horizons: Sequence[float] = (0.0,), q: float = 0.3
) -> list[Statement]:
    """Statements of services × windows × horizons, in this order."""
    found, k = [], 0
    for s in range(services):
        for w in range(windows):
            start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=30 * w)
            period = Period(start=start, end=start + timedelta(days=30), label=f"w{w}")
            for e in horizons:
                found.append(
                    Statement(
                        service=f"s{s}", agreement="sla", objective="o", tier="gold" if s % 2 else "bronze",
                        kind="month", period=period, at=start + e * timedelta(days=30), elapsed=e,
                        probability=float(p[k]), breached=bool(y[k]),
                        baselines=(("climatology", q), ("persistence", 0.5)),
                    )
                )  # fmt: skip
                k += 1
    return found


def scored(statements: Sequence[Statement], **more: int) -> RiskScore:
    found = evaluate(statements, protocol="simulated", seed=1, paths=500, **{"draws": 300, **more})  # type: ignore[arg-type]
    assert isinstance(found, RiskScore)
    return found


def test_the_interval_of_the_difference_covers_the_truth() -> None:
    """Effects of services and windows in the outcomes; the expected difference is known from the probabilities."""
    random = np.random.default_rng(7)
    services, windows, covered, runs = 12, 12, 0, 60
    for _ in range(runs):
        effect = random.normal(0, 0.7, services)[:, None] + random.normal(0, 0.7, windows)[None, :]
        truth = 1 / (1 + np.exp(1 - effect))
        y = (random.random(truth.shape) < truth).astype(float).ravel()
        stated = np.full(services * windows, 0.35)
        score = scored(made(stated, y, services, windows, q=0.3))
        # (0.35 − y)² − (0.3 − y)² has mean 0.35² − 0.3² − 0.1 × P(y), over all services and windows there could be.
        mean = float(np.mean(1 / (1 + np.exp(1 - np.random.default_rng(1).normal(0, np.sqrt(0.98), 200_000)))))
        expected = 0.35**2 - 0.3**2 - 0.1 * mean
        gap = score.models[0].to_climatology
        covered += gap.low <= expected <= gap.high
    assert covered / runs >= 0.88


def test_blocks_widen_an_interval_where_windows_hang_together() -> None:
    random = np.random.default_rng(11)
    services, windows = 30, 12
    shock = (random.random(windows) < 0.4).astype(float)
    y = np.tile(shock, services)  # all services miss together
    alone = (random.random(services * windows) < 0.4).astype(float)
    p = np.full(services * windows, 0.4)
    gaps = [scored(made(p, o, services, windows)).models[0].to_climatology for o in (y, alone)]
    assert gaps[0].high - gaps[0].low > 2 * (gaps[1].high - gaps[1].low)


def test_models_stand_side_by_side_on_the_same_statements() -> None:
    random = np.random.default_rng(13)
    truth = random.beta(1, 2, 20 * 24)
    y = (random.random(len(truth)) < truth).astype(float)
    score = scored(made(truth, y, 20, 24, q=1 / 3))
    ours, reference = score.of(OURS), score.of("climatology")
    assert ours is not None
    assert reference is not None
    assert [m.kind for m in score.models] == ["product", "baseline", "baseline"]
    assert score.best_baseline == "climatology"
    assert ours.skill.low > 0 > ours.to_best.high
    assert (reference.skill.value, reference.skill.low, reference.skill.high) == (0.0, 0.0, 0.0)
    assert reference.to_best.value == 0.0
    assert score.skill == pytest.approx(1 - brier(truth, y) / brier(np.full(len(y), 1 / 3), y))
    assert score.ece == pytest.approx(expected_calibration_error(truth, y))
    assert sum(b.count for b in score.bins) == len(y)
    assert all(b.low is not None and b.high is not None and b.low <= b.observed <= b.high for b in score.bins)


def test_parts_add_up_and_what_was_decided_or_treated_stands_apart() -> None:
    from dataclasses import replace

    random = np.random.default_rng(17)
    p = random.beta(1, 2, 10 * 12 * 2)
    y = (random.random(len(p)) < p).astype(float)
    whole = made(p, y, 10, 12, horizons=(0.0, 0.5))
    marked = [replace(s, decided=k % 10 == 0, treated=k % 10 == 5) for k, s in enumerate(whole)]
    score = scored(marked)
    assert (score.decisions, score.decided, score.treated) == (192, 24, 24)
    parts = {(s.by, s.part): s for s in score.strata}
    assert set(parts) == {("horizon", "0 %"), ("horizon", "50 %"), ("tier", "gold"), ("tier", "bronze"),
                          ("outcome", "decided"), ("action", "acted upon")}  # fmt: skip
    for by in ("horizon", "tier"):
        inside = [s for s in score.strata if s.by == by]
        assert sum(s.statements for s in inside) == score.decisions
        total = sum(s.models[0].brier * s.statements for s in inside)
        assert total / score.decisions == pytest.approx(score.brier)
    kept = [s for s in marked if s.open and not s.treated]
    assert scored(kept).brier == score.brier  # nothing of the others is in the headline
    assert parts["outcome", "decided"].statements == 24


def test_too_little_is_an_excuse() -> None:
    few = made(np.full(19, 0.5), np.tile([0.0, 1.0], 10)[:19], 1, 19)
    assert isinstance(evaluate(few, protocol="", seed=1, paths=500), Excuse)
    one = made(np.full(30, 0.5), np.tile([0.0, 1.0], 15), 30, 1)
    assert isinstance(evaluate(one, protocol="", seed=1, paths=500), Excuse)
    assert isinstance(evaluate([], protocol="", seed=1, paths=500), Excuse)


def test_candidates_are_scored_where_every_statement_has_them() -> None:
    from dataclasses import replace

    random = np.random.default_rng(19)
    p = random.beta(1, 2, 120)
    y = (random.random(120) < p).astype(float)
    base = made(p, y, 10, 12)
    both = [replace(s, candidates=(("bootstrap", 0.4), ("counts", 0.2))) for s in base]
    names = [m.name for m in scored(both).models if m.kind == "candidate"]
    assert set(names) == {"bootstrap", "counts"}
    some = [replace(s, candidates=(("bootstrap", 0.4),)) if k else s for k, s in enumerate(both)]
    assert [m.name for m in scored(some).models if m.kind == "candidate"] == ["bootstrap"]


def test_the_draws_are_of_whole_services_and_windows() -> None:
    blocks = Blocks.of(["a"] * 4 + ["b"] * 4, ["1", "1", "2", "2"] * 2, seed=3, draws=500)
    assert blocks.services.sum(axis=1).tolist() == [2.0] * 500
    assert blocks.windows.sum(axis=1).tolist() == [2.0] * 500
    mean = blocks.weights(np.ones(8, dtype=bool)).mean(np.repeat([0.0, 1.0], 4))
    assert set(mean.tolist()) == {0.0, 0.5, 1.0}  # both services, or one of them twice

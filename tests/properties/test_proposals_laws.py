"""Laws of a safe target and of load on badness, on drawn worlds."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "truths"))
from proposals_fixture import INDICATOR, agreement, march, month, objective, problem, resource, risk

from forecasting.capacity.models.response_curve import ResponseCurve
from forecasting.proposals.kinds.change_target import ChangeTarget, safe_target
from forecasting.terms.errors import Excuse
from forecasting.workflows.capacity import LoadEffect, odds_factors

LAWS = settings(derandomize=True, max_examples=60, deadline=None)
BAD = st.lists(st.integers(0, 400), min_size=1, max_size=60)
TARGETS = st.sampled_from([Decimal(t) for t in ("0.8", "0.95", "0.99", "0.9995", "0.5")])
CONFIDENCE = st.sampled_from([0.5, 0.75, 0.8, 0.9, 0.95, 0.99])


@LAWS
@given(bad=BAD, total=st.sampled_from([400, 1000, 997]), confidence=CONFIDENCE, near=TARGETS)
def test_a_safe_target_is_met_as_often_as_asked_and_not_much_oftener(
    bad: list[int], total: int, confidence: float, near: Decimal
) -> None:
    paths = 1.0 - np.array(bad) / total
    target = safe_target(paths, confidence, near)
    # Counted exactly: a tie is met.
    met = sum(Decimal(total - b) >= target * total for b in bad)
    assert met >= confidence * len(bad) - 1e-9
    step = Decimal(1).scaleb(min(int(near.normalize().as_tuple().exponent), -3))
    assert target % step == 0
    # With one step more it is missed on all that may miss but one, at least.
    stricter = sum(Decimal(total - b) >= (target + step) * total for b in bad)
    assert stricter < confidence * len(bad) + 1


@LAWS
@given(bad=BAD, near=TARGETS, pair=st.tuples(CONFIDENCE, CONFIDENCE))
def test_a_safer_target_is_never_stricter(bad: list[int], near: Decimal, pair: tuple[float, float]) -> None:
    paths = 1.0 - np.array(bad) / 400
    low, high = sorted(pair)
    assert safe_target(paths, high, near) <= safe_target(paths, low, near)


@LAWS
@given(bad=BAD, better=st.integers(0, 50), near=TARGETS, confidence=CONFIDENCE)
def test_a_better_service_can_promise_no_less(bad: list[int], better: int, near: Decimal, confidence: float) -> None:
    before, after = (1.0 - np.maximum(np.array(bad) - n, 0) / 400 for n in (0, better))
    assert safe_target(after, confidence, near) >= safe_target(before, confidence, near)


@LAWS
@given(bad=st.lists(st.integers(0, 100), min_size=4, max_size=40), target=st.sampled_from(["0.8", "0.95", "0.99"]))
def test_an_offered_target_is_softer_than_the_present_one_and_never_costs_credits(bad: list[int], target: str) -> None:
    sla = agreement(objective(target))
    worlds = [1 - b / 100 for b in bad]
    running = risk(month(3), [1.0] * len(bad), agreed=sla)
    found = ChangeTarget().options(problem(agreed=sla, risks=(running, risk(month(4), worlds, agreed=sla))))
    assert march(sla).probability < 0.5
    if isinstance(found, Excuse):
        return
    offered = [Decimal(o.label.removeprefix("Agree on ").split(" %")[0]) / 100 for o in found]
    assert all(0 < t < Decimal(target) for t in offered)
    assert offered == sorted(offered, reverse=True)
    for o in found:
        assert o.benefit_p10 >= 0
        assert o.expected_credit_after >= -1e-9
        assert o.probability_after <= o.probability_before


def _effect(logits: list[float], slope: float, history: dict[date, float]) -> LoadEffect:
    rising = np.cumsum(np.abs(logits) + 0.01) - 4.0
    profile = np.abs(np.sin(np.arange(1, 7 * 6 + 1))).reshape(7, 6)
    return LoadEffect(
        resource=resource(),
        curve=ResponseCurve(
            knots=np.linspace(0.2, 1.2, len(rising)),
            logits=rising,
            slope=slope,
            observed_low=0.2,
            observed_high=1.2,
            slices=500,
            relation=0.3,
            log_loss=0.4,
            log_loss_without=0.5,
            hours_controlled=True,
        ),
        profile=profile / profile.sum(axis=1, keepdims=True),
        history_load=history,
        indicator=INDICATOR,
    )


FIRST = date(2027, 1, 4)


@LAWS
@given(
    logits=st.lists(st.floats(0, 1.5), min_size=2, max_size=6),
    slope=st.floats(0.1, 20),
    loads=st.lists(st.floats(0, 900), min_size=3, max_size=8),
    extra=st.integers(0, 60),
    seed=st.integers(0, 9),
)
def test_more_units_never_raise_the_odds_and_a_busier_path_never_lowers_them(
    logits: list[float], slope: float, loads: list[float], extra: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    effect = _effect(logits, slope, {FIRST + timedelta(days=k): float(random.uniform(50, 400)) for k in range(14)})
    quiet = np.tile(np.array(loads)[:, None], (1, 5))
    source = np.tile(np.arange(5), (len(loads), 1))
    today, start = FIRST + timedelta(days=14), FIRST + timedelta(days=16)
    now = odds_factors(effect, quiet, today, source, FIRST)
    assert np.isfinite(now).all()
    assert (now > 0).all()
    more = odds_factors(effect, quiet, today, source, FIRST, extra=Decimal(extra), in_use_from=start)
    assert (more <= now).all()
    assert np.array_equal(more[:, :2], now[:, :2])  # before they serve
    if extra == 0:
        assert np.array_equal(more, now)
    else:
        again = odds_factors(effect, quiet, today, source, FIRST, extra=Decimal(extra + 2), in_use_from=start)
        assert (again <= more).all()
    order = np.argsort(loads)
    assert (np.diff(now[order], axis=0) >= -1e-12 * now[order][1:]).all()

"""Laws of breach risk: no leakage, determinism, order, monotone in target and load."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.badness import DailyBadness, align, daily_badness
from forecasting.service_levels.breach.level import fit_level
from forecasting.service_levels.breach.risk import assess_risk
from forecasting.service_levels.breach.simulate import BadPaths, simulate_badness
from forecasting.service_levels.breach.worlds import draw_worlds
from forecasting.service_levels.events import Events
from forecasting.service_levels.windows import coming_periods
from forecasting.terms.breach import BreachRisk
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
)

RATIO = RatioIndicator(total="total", bad="bad")
START = datetime(2027, 1, 1, tzinfo=UTC)


def objective(service: str, target: str) -> Objective:
    return Objective(
        name="o",
        service=service,
        indicator=RATIO,
        target=Decimal(target),
        window=CalendarWindow(unit="month", zone="UTC"),
    )


def hourly(service: str, good: NDArray[np.int64], total: NDArray[np.int64]) -> Events:
    metric = Metric(name="total", kind=MetricKind.COUNT)
    n = len(total)
    starts = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(n) * np.timedelta64(1, "h")
    return Events(
        series=Series(service=service, metric=metric, start=START, step=timedelta(hours=1), values=np.zeros(n)),
        starts=starts,
        ends=starts + np.timedelta64(1, "h"),
        good=good,
        total=total,
        known=np.ones(n, dtype=bool),
    )


def chain(
    fleet: dict[str, Events], as_of: datetime, *, seed: int = 1, n: int = 200
) -> dict[str, tuple[BreachRisk, ...]]:
    """Run everything from events to risks at a cut-off."""
    found = [daily_badness(objective(s, "0.9"), e, tier="t", as_of=as_of) for s, e in fleet.items()]
    members = [m for m in found if isinstance(m, DailyBadness)]
    assert len(members) == len(fleet)
    group = sorted(align(members, as_of.date()), key=lambda m: m.service)
    level = fit_level(group, span_days=28, leads=3, block_days=3.0)
    worlds = draw_worlds(
        history_days=group[0].days, first_weekday=group[0].first_day.weekday(), horizon=70, paths=n,
        mean_block_days=3.0, half_life_days=60.0, seed=seed,
    )  # fmt: skip
    risks = {}
    for k, member in enumerate(group):
        paths = simulate_badness(
            group, k, level, worlds=worlds, totals=np.full((n, 70), member.total[-28:].mean()),
            first_day=as_of.date(), first_day_share=0.4, half_life_days=60.0, seed=seed,
        )  # fmt: skip
        promise = objective(member.service, "0.9")
        periods = coming_periods(promise.window, as_of=as_of, ahead=1)
        risks[member.service] = tuple(
            assess_risk(promise, None, a, paths, windows_known=4, basis="")
            for a in attainments(promise, fleet[member.service], periods, as_of=as_of)
        )
    return risks


def fleet_of(seed: int) -> dict[str, Events]:
    rng = np.random.default_rng(seed)
    fleet = {}
    for k in range(3):
        total = rng.poisson(20, 200 * 24)
        share = np.repeat(np.clip(rng.normal(0.08 + 0.02 * k, 0.04, 200), 0, 1), 24)
        fleet[f"s{k}"] = hourly(f"s{k}", total - rng.binomial(total, share), total)
    return fleet


def same(a: dict[str, tuple[BreachRisk, ...]], b: dict[str, tuple[BreachRisk, ...]]) -> bool:
    """Tell whether all statements are equal to the last bit."""

    def plain(risk: BreachRisk) -> tuple[object, ...]:
        return tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in vars(risk).values())

    return a.keys() == b.keys() and all([plain(x) for x in a[s]] == [plain(y) for y in b[s]] for s in a)


AS_OF = datetime(2027, 5, 20, 14, 30, tzinfo=UTC)


def test_altered_future_changes_nothing() -> None:
    fleet = fleet_of(1)
    altered = {}
    for service, events in fleet.items():
        future = events.ends > np.datetime64(AS_OF.replace(tzinfo=None), "us")
        altered[service] = hourly(service, np.where(future, 0, events.good), np.where(future, 10**6, events.total))
    assert same(chain(fleet, AS_OF), chain(altered, AS_OF))


def test_same_input_same_bytes_and_another_seed_another_draw() -> None:
    fleet = fleet_of(2)
    assert same(chain(fleet, AS_OF), chain(fleet, AS_OF))
    assert not same(chain(fleet, AS_OF), chain(fleet, AS_OF, seed=2))


def test_order_of_services_does_not_matter() -> None:
    fleet = fleet_of(3)
    assert same(chain(fleet, AS_OF), chain(dict(reversed(fleet.items())), AS_OF))


def test_draws_belong_to_the_service_not_to_its_place() -> None:
    """The group in another order: the same paths, up to the last digits of sums."""
    members = random_group(np.random.default_rng(1), 4)
    worlds = draw_worlds(
        history_days=120, first_weekday=0, horizon=31, paths=80, mean_block_days=3.0, half_life_days=60.0, seed=1
    )
    for k in range(4):
        turned = members[::-1]
        np.testing.assert_allclose(
            simulate(members, k, 28, worlds).bad, simulate(turned, 3 - k, 28, worlds).bad, rtol=1e-9, atol=1e-12
        )


def random_group(rng: np.random.Generator, count: int, days: int = 120) -> list[DailyBadness]:
    """Draw daily histories: quiet, noisy, bursty; some days not known."""
    members = []
    for k in range(count):
        total = rng.poisson(rng.choice([2.0, 50.0, 3000.0]), days).astype(float)
        share = np.clip(rng.beta(1, rng.choice([5.0, 50.0]), days) * (rng.random(days) < rng.choice([0.1, 1.0])), 0, 1)
        known = (rng.random(days) < 0.97) & (total > 0)
        bad = np.where(known, rng.binomial(total.astype(int), share), 0).astype(float)
        members.append(
            DailyBadness(
                service=f"s{k}", group="g", indicator=RATIO, first_day=date(2027, 1, 4), bad=bad,
                total=np.where(known, total, 0.0), known=known, slices_per_day=24.0,
            )
        )  # fmt: skip
    return members


def simulate(
    members: list[DailyBadness],
    member: int,
    span: int,
    worlds: NDArray[np.int64],
    odds_factor: NDArray[np.float64] | None = None,
) -> BadPaths:
    own = members[member]
    return simulate_badness(
        members, member, fit_level(members, span_days=span, leads=2, block_days=3.0), worlds=worlds,
        totals=np.full(worlds.shape, own.total[own.known].mean() if own.known.any() else 0.0),
        first_day=date(2027, 5, 4), first_day_share=0.7, half_life_days=60.0, seed=3, odds_factor=odds_factor,
    )  # fmt: skip


def check_monotone(cases: int) -> None:
    """Common random numbers: a stricter target or worse odds never lower P, whatever the history."""
    rng = np.random.default_rng(7)
    as_of = datetime(2027, 5, 4, 7, 12, tzinfo=UTC)
    window = Period(start=datetime(2027, 5, 1, tzinfo=UTC), end=datetime(2027, 6, 1, tzinfo=UTC), label="2027-05")
    ahead = Period(start=window.end, end=datetime(2027, 6, 4, tzinfo=UTC), label="next")
    done = 0
    while done < cases:
        members = random_group(rng, int(rng.integers(1, 4)))
        worlds = draw_worlds(
            history_days=120, first_weekday=0, horizon=31, paths=60, mean_block_days=3.0, half_life_days=60.0,
            seed=int(rng.integers(10**6)),
        )  # fmt: skip
        shape = worlds.shape
        factor = np.exp(rng.normal(0, 0.3, shape))
        worse = factor * np.exp(np.abs(rng.normal(0, 0.5, shape)))
        calm, busy = (simulate(members, 0, 28, worlds, f) for f in (factor, worse))
        assert (busy.bad >= calm.bad - 1e-12).all()
        assert np.isfinite(busy.bad).all()
        assert (busy.bad <= busy.total + 1e-9).all()
        assert (calm.bad[calm.bad == 0] == busy.bad[calm.bad == 0]).all()  # zeros stay zeros
        targets = sorted(rng.choice(["0.5", "0.8", "0.9", "0.95", "0.99", "0.999"], 3, replace=False))
        total = int(rng.integers(0, 500))
        good = int(rng.binomial(total, 0.95))
        for period, known in ((window, (good, total)), (ahead, (0, 0))):
            table = []
            for paths in (calm, busy):
                row = []
                for target in targets:
                    so_far = Attainment(
                        service="s0", agreement=None, objective="o", period=period, target=Decimal(str(target)),
                        good=known[0], total=known[1], known_slices=3, elapsed_slices=3, planned_slices=31, value=None,
                        lower=None, upper=None, status=AttainmentStatus.RUNNING, as_of=as_of, final=False,
                    )  # fmt: skip
                    risk = assess_risk(objective("s0", str(target)), None, so_far, paths, windows_known=3, basis="")
                    assert 0 < risk.probability < 1
                    assert 0 <= risk.probability_low <= risk.probability <= risk.probability_high <= 1
                    assert ((risk.attainment_paths >= 0) & (risk.attainment_paths <= 1)).all()
                    row.append(risk.probability)
                assert row == sorted(row), "a stricter target lowered P(breach)"
                table.append(row)
            assert all(a <= b for a, b in zip(*table, strict=True)), "worse odds lowered P(breach)"
            done += 1


def test_monotone_in_target_and_odds() -> None:
    check_monotone(300)


@pytest.mark.nightly
def test_monotone_in_target_and_odds_often() -> None:
    check_monotone(10_000)

"""Planted effects of covariates and events are found in size, noise is not, and every "no" says why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.forecasts.effects import Effects, estimate_effects
from forecasting.terms.covariate import Covariate, Event
from forecasting.terms.errors import InputError
from forecasting.terms.history import MetricKind

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = np.array([1.0, 1.2, 1.2, 1.1, 1.3, 0.6, 0.4])
AHEAD = 14


def days(n: int) -> NDArray[np.datetime64]:
    return np.datetime64(FIRST.replace(tzinfo=None), "us") + np.arange(n) * np.timedelta64(1, "D")


def day(k: int) -> datetime:
    return FIRST + timedelta(days=k)


def run(
    values: NDArray[np.float64],
    n: int,
    covariates: Sequence[Covariate] = (),
    events: Sequence[Event] = (),
    kind: MetricKind = MetricKind.NON_NEGATIVE,
    season: int = 7,
) -> Effects:
    return estimate_effects(
        values[:n],
        n_known=n,
        season=season,
        seasons=(season,),
        covariates=covariates,
        events=events,
        at=days(n + AHEAD),
        kind=kind,
    )


def persistent(rng: np.random.Generator, n: int, rho: float) -> NDArray[np.float64]:
    shocks = rng.normal(size=n + 100) * np.sqrt(1 - rho**2)
    x = np.zeros(n + 100)
    for t in range(1, n + 100):
        x[t] = rho * x[t - 1] + shocks[t]
    return x[100:]


def pulse(name: str, start: int, length: int, multiplier: float | None = None) -> Event:
    return Event(name=name, start=day(start), end=day(start + length), multiplier=multiplier)


# ---- covariates


@pytest.mark.parametrize("kind", [MetricKind.NON_NEGATIVE, MetricKind.COUNT, MetricKind.REAL])
@pytest.mark.parametrize("what", ["line", "flag", "u"])
def test_an_effect_as_large_as_the_noise_is_recovered_within_a_fifth(kind: MetricKind, what: str) -> None:
    slopes = []
    for seed in range(5):
        rng = np.random.default_rng(100 + seed)
        n = 730
        x = persistent(rng, n + AHEAD, 0.6)
        covariate = Covariate(name="x", values=x)
        if what == "flag":
            x = (x > 1).astype(float)
            covariate = Covariate(name="x", values=x, kind="flag")
        raw = x**2 if what == "u" else x
        planted = 0.2 * (raw - raw.mean()) / raw.std()
        noise = 0.2 * persistent(rng, n + AHEAD, 0.4)
        week = np.resize(WEEK, n + AHEAD)
        if kind is MetricKind.REAL:
            values = 10 * week + 10 * (planted + noise) - 30
        else:
            values = 200 * week * np.exp(planted + noise)
            values = rng.poisson(values).astype(float) if kind is MetricKind.COUNT else values
        effects = run(values, n, (covariate, Covariate(name="moon", values=rng.normal(size=n + AHEAD))), kind=kind)
        assert "x" in effects.kept
        assert effects.error_saved is not None
        assert effects.error_saved > 0.1
        with_it, without = values[:n], effects.adjusted
        found = (with_it - without) / 10 if kind is MetricKind.REAL else np.log(with_it / without)
        centred = planted[:n] - planted[:n].mean()
        slopes.append(float(found @ centred / (centred @ centred)))
        ahead = effects.future / 10 if kind is MetricKind.REAL else np.log(effects.future)
        assert np.abs((ahead - ahead[0]) - (planted[n:] - planted[n])).mean() < 0.5 * np.abs(planted[n:]).mean()
    assert abs(float(np.median(slopes)) - 1) < 0.1
    assert max(abs(slope - 1) for slope in slopes) < 0.2


@pytest.mark.parametrize(
    ("n", "memory", "flag"), [(120, 0.0, False), (400, 0.9, False), (200, 0.5, True), (60, 0.0, False)]
)
def test_noise_is_kept_in_less_than_one_case_in_twenty(n: int, memory: float, flag: bool) -> None:
    kept = cases = 0
    for seed in range(60):
        rng = np.random.default_rng(7000 + seed)
        values = 100 * np.resize(WEEK, n) * np.exp(0.2 * persistent(rng, n, memory))
        covariates = []
        for j in range(3):
            x = persistent(rng, n + AHEAD, memory)
            covariates.append(
                Covariate(name=f"x{j}", values=(x > 1).astype(float), kind="flag")
                if flag
                else Covariate(name=f"x{j}", values=x)
            )
        kept += len(run(values, n, covariates).kept)
        cases += 3
    assert kept / cases <= 0.05


def test_a_known_covariate_lowers_the_error_of_a_forecast() -> None:
    plain = informed = 0.0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        n = 400
        rain = np.maximum(persistent(rng, n + AHEAD, 0.5), 0)
        values = 100 * np.resize(WEEK, n + AHEAD) * np.exp(-0.4 * rain + 0.1 * rng.normal(size=n + AHEAD))
        effects = run(values, n, (Covariate(name="rain", values=rain),))

        def forecast(history: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.resize(np.median(history[-28:].reshape(4, 7), axis=0), AHEAD)

        plain += float(np.abs(forecast(values[:n]) - values[n:]).mean())
        informed += float(np.abs(effects.put_back(forecast(effects.adjusted)) - values[n:]).mean())
    assert informed < 0.6 * plain


def test_a_covariate_far_outside_what_was_seen_is_held() -> None:
    rng = np.random.default_rng(3)
    n = 300
    price = rng.uniform(1, 2, n + AHEAD)
    values = 100 * np.resize(WEEK, n + AHEAD) * np.exp(-0.5 * price + 0.05 * rng.normal(size=n + AHEAD))
    price[n:] = 50.0
    effects = run(values, n, (Covariate(name="price", values=price),))
    assert effects.kept == ("price",)
    assert effects.future.min() > np.exp(-0.5 * 0.8)  # 10 % of the range beyond 2, not 48 beyond


def test_every_no_says_why() -> None:
    rng = np.random.default_rng(4)
    n = 200
    x = rng.normal(size=n + AHEAD)
    values = 100 * np.resize(WEEK, n) * np.exp(0.3 * x[:n] + 0.1 * rng.normal(size=n))
    gap = x.copy()
    gap[-1] = np.nan
    late = np.where(np.arange(n + AHEAD) < n - 20, np.nan, x)
    rare = np.zeros(n + AHEAD)
    rare[[5, 90]] = 1
    covariates = (
        Covariate(name="x", values=x),
        Covariate(name="twin", values=3 * x + 1),
        Covariate(name="flat", values=np.full(n + AHEAD, 5.0)),
        Covariate(name="unseen", values=np.where(np.arange(n + AHEAD) < n, np.nan, x)),
        Covariate(name="late", values=late),
        Covariate(name="gap", values=gap),
        Covariate(name="short", values=x[:n]),
        Covariate(name="rare", values=rare, kind="flag"),
        Covariate(name="weekend", values=np.resize([0.0, 0, 0, 0, 0, 1, 1], n + AHEAD), kind="flag"),
        Covariate(name="noise", values=rng.normal(size=n + AHEAD)),
    )
    effects = run(values, n, covariates)
    reasons = {name: excuse.reason for name, excuse in effects.declined}
    assert effects.kept == ("x",)
    assert set(reasons) == {c.name for c in covariates} - {"x"}
    for name, words in (
        ("twin", "collinear: says the same as x"),
        ("flat", "constant at 5"),
        ("unseen", "no value in the history"),
        ("late", "20 slices with a value"),
        ("gap", "unknown in 1 of 14"),
        ("short", "200 values, 214 needed"),
        ("rare", "2 slices with the rarer value"),
        ("weekend", "with the season exactly"),
        ("noise", "of the error out of fold"),
    ):
        assert words in reasons[name], name


def test_zeros_do_not_break_factors() -> None:
    rng = np.random.default_rng(9)
    n = 700
    x = rng.normal(size=n + AHEAD)
    values = rng.poisson(2 * np.resize(WEEK, n) * np.exp(0.5 * x[:n])).astype(float)
    assert (values == 0).mean() > 0.1
    effects = run(values, n, (Covariate(name="x", values=x),), kind=MetricKind.COUNT)
    assert effects.kept == ("x",)
    slope = np.polyfit(x[n:], np.log(effects.future), 1)[0]
    assert 0.4 < slope < 0.6
    assert np.isfinite(effects.adjusted).all()


# ---- events


def test_the_next_campaign_is_learnt_from_the_last_ones() -> None:
    rng = np.random.default_rng(1)
    n = 400
    values = 100 * np.resize(WEEK, n + AHEAD) * np.exp(0.05 * rng.normal(size=n + AHEAD))
    plain = values.copy()
    starts = (60, 160, 260, n + 3)
    for start in starts:
        values[start : start + 5] *= 1.8
    events = [pulse("sale", start, 5) for start in starts]
    effects = run(values, n, events=events)
    assert effects.kept == ("sale",)
    assert effects.mode == "multiply"
    assert effects.future[:3].tolist() == [1, 1, 1]
    assert effects.future[3:8] == pytest.approx(np.full(5, effects.future[3]))
    # Three past ones weigh 3 / 3.5 against none: 1 + .8 · .857, a little less for their scatter.
    assert 1.8 - 0.8 * 0.25 < effects.future[3] < 1.8
    inside = np.concatenate([np.arange(start, start + 5) for start in starts[:3]])
    assert effects.adjusted[inside] == pytest.approx(plain[inside], rel=0.12)
    once = run(values, n, events=[events[0], events[3]])
    assert 1 < once.future[3] < effects.future[3]


def test_a_planned_multiplier_is_used_as_given() -> None:
    values = 100 * np.resize(WEEK, 100)
    effects = run(values, 100, events=[pulse("launch", 102, 3, 2.5)])
    assert effects.future.tolist() == [1, 1, 2.5, 2.5, 2.5] + [1] * 9
    assert np.array_equal(effects.adjusted, values)
    assert "launch as planned" in effects.method
    half = Event(name="noon", start=day(101) + timedelta(hours=12), end=day(102), multiplier=3.0)
    assert run(values, 100, events=[half]).future[1] == 2.0  # half of that day


def test_steps_and_ramps() -> None:
    values = 100 * np.resize(WEEK, 100)
    step = Event(name="migration", start=day(104), end=day(105), kind="step", multiplier=0.5)
    ramp = Event(name="roll-out", start=day(100), end=day(110), kind="ramp", multiplier=2.0)
    assert run(values, 100, events=[step]).future.tolist() == [1] * 4 + [0.5] * 10
    assert run(values, 100, events=[ramp]).future == pytest.approx([*(1.05 + 0.1 * np.arange(10)), 2, 2, 2, 2])
    grown = values * np.where(np.arange(100) < 50, 1, 3)
    past = Event(name="merger", start=day(50), end=day(64), kind="step", multiplier=3.0)
    effects = run(grown, 100, events=[past])
    assert effects.adjusted == pytest.approx(values)
    assert effects.future.tolist() == [3.0] * AHEAD
    learnt = run(grown, 100, events=[Event(name="merger", start=day(50), end=day(64), kind="step")])
    assert learnt.adjusted == pytest.approx(values)
    assert learnt.future == pytest.approx(np.full(AHEAD, 3.0))


def test_events_that_say_nothing() -> None:
    values = 100 * np.resize(WEEK, 100)
    secret = Event(name="secret", start=day(103), end=day(104), multiplier=2.0, known_from=day(101))
    never = pulse("never seen", 105, 2)
    gone = pulse("long ago", -50, 3, 4.0)
    effects = run(values, 100, events=[secret, never, gone])
    reasons = {name: excuse.reason for name, excuse in effects.declined}
    assert "not known before" in reasons["secret"]
    assert "no earlier event of this name" in reasons["never seen"]
    assert set(reasons) == {"secret", "never seen"}
    assert effects.future.tolist() == [1] * AHEAD
    assert np.array_equal(effects.adjusted, values)


def test_an_outage_leaves_unknown_slices_and_does_not_disturb_covariates() -> None:
    rng = np.random.default_rng(8)
    n = 300
    x = rng.normal(size=n + AHEAD)
    values = 100 * np.resize(WEEK, n) * np.exp(0.2 * x[:n] + 0.1 * rng.normal(size=n))
    clean = run(values, n, (Covariate(name="x", values=x),))
    values[150:153] = 0
    effects = run(values, n, (Covariate(name="x", values=x),), events=[pulse("outage", 150, 3, 0.0)])
    assert np.isnan(effects.adjusted[150:153]).all()
    assert effects.future == pytest.approx(clean.future, rel=0.05)


def test_ratios_move_by_differences_and_stay_shares() -> None:
    rng = np.random.default_rng(6)
    n = 365
    storm = (rng.random(n + AHEAD) < 0.1).astype(float)
    values = np.clip(0.9 - 0.25 * storm + 0.04 * rng.normal(size=n + AHEAD), 0, 1)
    event = pulse("strike", n + 2, 2, 0.5)
    effects = run(values, n, (Covariate(name="storm", values=storm, kind="flag"),), [event], kind=MetricKind.RATIO)
    assert effects.mode == "add"
    assert effects.kept == ("storm", "strike")
    assert effects.adjusted.min() >= 0
    assert effects.adjusted.max() <= 1
    stormy, calm = effects.parts["storm"][storm[n:] == 1], effects.parts["storm"][storm[n:] == 0]
    assert calm[0] - stormy[0] == pytest.approx(0.25, abs=0.03) if len(stormy) else calm[0] > 0
    assert effects.parts["strike"][2:4] == pytest.approx([-0.44, -0.44], abs=0.03)


# ---- terms


def test_terms_refuse_what_cannot_be() -> None:
    with pytest.raises(InputError, match="infinite"):
        Covariate(name="a", values=np.array([1.0, np.inf]))
    with pytest.raises(InputError, match="0 or 1"):
        Covariate(name="a", values=np.array([1.0, 2.0]), kind="flag")
    with pytest.raises(InputError, match="after its start"):
        Event(name="a", start=day(1), end=day(1))
    with pytest.raises(InputError, match="zone"):
        Event(name="a", start=datetime(2026, 1, 1), end=day(1))  # noqa: DTZ001
    with pytest.raises(InputError, match="multiplier"):
        pulse("a", 1, 1, -0.5)
    twins = (Covariate(name="a", values=np.zeros(120)), Covariate(name="a", values=np.ones(120)))
    with pytest.raises(InputError, match="a twice"):
        run(np.ones(100), 100, twins)
    with pytest.raises(InputError, match="n_known"):
        run(np.ones(50), 0)

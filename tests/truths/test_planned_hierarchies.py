"""Totals that are made from parts err as widely as their intervals say, because parts err together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.terms.forecast import Forecast
from forecasting.terms.hierarchy import DeclaredSum, SumMethod, trees_of
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.workflows import hierarchies
from forecasting.workflows.hierarchies import Answers, add_up, past_errors

N, AHEAD, TREES = 300, 28, 8
Key = tuple[str, str]


def world() -> tuple[dict[Key, Series], dict[Key, NDArray[np.float64]], list[tuple[str, tuple[str, ...]]]]:
    """Trees of three parts, half of whose noise is common; it remembers the days before."""
    rng = np.random.default_rng(3)

    def noise() -> NDArray[np.float64]:
        found = np.zeros(N + AHEAD + 50)
        for t in range(1, len(found)):
            found[t] = 0.6 * found[t - 1] + rng.normal(0, 0.048)
        return found[50:]

    series, truth, sums = {}, {}, []
    for k in range(TREES):
        common, week = noise(), np.resize([1.0, 1.2, 1.2, 1.1, 1.3, 0.6, 0.4], N + AHEAD)
        parts = {f"p{k}{i}": np.round(a * week * np.exp(common + noise())) for i, a in enumerate((100, 200, 400))}
        for name, values in {f"t{k}": np.sum(list(parts.values()), axis=0), **parts}.items():
            series[name, "calls"] = Series(
                service=name,
                metric=Metric(name="calls", kind=MetricKind.COUNT),
                start=datetime(2026, 1, 5, tzinfo=UTC),
                step=timedelta(days=1),
                values=values[:N],
            )
            truth[name, "calls"] = values[N:]
        sums.append((f"t{k}", tuple(parts)))
    return series, truth, sums


def inside(answers: Answers, truth: dict[Key, NDArray[np.float64]], *, total: bool) -> float:
    """Share of the days of the totals (of their sums) inside the 80 % interval."""
    found: list[float] = []
    for key, answer in answers.items():
        if key[0].startswith("t") == total:
            assert isinstance(answer, Forecast)
            low, high = np.quantile(answer.paths, [0.1, 0.9], axis=0)
            found.append(float(np.mean((truth[key] >= low) & (truth[key] <= high))))
    return float(np.mean(found))


@pytest.mark.nightly
def test_intervals_of_totals_hold_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    series, truth, sums = world()
    task = ForecastTask(
        series=tuple(series.values()), horizon=AHEAD, models=("pooled",), countries=("",) * len(series), n_paths=400,
        seed=1,
    )  # fmt: skip
    alone = dict(zip(series, forecast_batch(task), strict=True))

    def made(method: SumMethod) -> Answers:
        declared = [DeclaredSum(name=t, metric="calls", total=t, parts=parts, method=method) for t, parts in sums]
        return add_up(alone, trees_of(declared), series=series, task=task, countries={})

    for method in ("mint", "bottom-up"):
        answers = made(method)
        assert 0.7 < inside(answers, truth, total=True) < 0.92, method
        assert 0.7 < inside(answers, truth, total=False) < 0.92, method
    monkeypatch.setattr(hierarchies, "past_errors", lambda *_: {})
    assert inside(made("bottom-up"), truth, total=True) < 0.72, "parts taken as independent: too narrow"


def test_past_errors_know_nothing_of_what_comes_later() -> None:
    rng = np.random.default_rng(4)
    values = 100 * np.resize([1.0, 1.2, 1.2, 1.1, 1.3, 0.6, 0.4], 140) * np.exp(rng.normal(0, 0.1, 140))

    def errors(changed: NDArray[np.float64]) -> NDArray[np.float64]:
        series = {
            (name, "calls"): Series(
                service=name,
                metric=Metric(name="calls", kind=MetricKind.COUNT),
                start=datetime(2026, 1, 5, tzinfo=UTC),
                step=timedelta(days=1),
                values=changed,
            )
            for name in ("a", "b")
        }
        task = ForecastTask(series=(), horizon=7, models=("seasonal_median",), countries=(), n_paths=50, seed=1)
        return past_errors(series, task, {})["a", "calls"]

    before, later = errors(values), values.copy()
    later[-7:] *= 3
    after = errors(later)
    assert before.shape == (8, 7)
    assert np.array_equal(before[:-1], after[:-1])
    assert np.allclose(after[-1] - before[-1], 2 * values[-7:])

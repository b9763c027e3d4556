"""The workbench on the real stage: leakage, fairness, what it counts, and that processes change nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.adapters.executors import JoblibLoky
from forecasting.forecasts.compare import compare_entries
from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.forecasts.league import LEAGUE_LEVELS, REFERENCE
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.frames import league_coverage_frame, league_frame, league_series_frame
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.settings import Settings
from forecasting.workflows.workbench import Bench, make_bench, run_workbench

T = TypeVar("T")
R = TypeVar("R")
WEEK = np.array([50.0, 60, 60, 62, 70, 30, 20])
CHEAP = ("seasonal_median", "trend")


def daily(values: NDArray[np.float64], service: str, start: datetime = datetime(2027, 3, 1, tzinfo=UTC)) -> Series:
    return Series(
        service=service,
        metric=Metric(name="calls", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1)),
        start=start,
        step=timedelta(days=1),
        values=np.asarray(values, dtype=np.float64),
    )


def several(count: int = 5, length: int = 120) -> list[Series]:
    made = []
    for i in range(count):
        rng = np.random.default_rng(i)
        values = np.resize(WEEK, length) * (1 + i) + rng.normal(0, 4 * (1 + i), length)
        made.append(daily(np.clip(values, 0, None), f"s{i}"))
    return made


class Recorder:
    """An executor that keeps the jobs it was given."""

    def __init__(self) -> None:
        self.tasks: list[ForecastTask] = []

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self.tasks += [item.task for item in items]  # type: ignore[attr-defined]
        return [function(item) for item in items]


def bench(series: Sequence[Series], *models: str, **more: object) -> Bench:
    return make_bench(series, horizon=10, models=models or CHEAP, seed=3, n_paths=100, **more)  # type: ignore[arg-type]


def test_a_league_of_the_stage() -> None:
    league = run_workbench(
        several(8), horizon=10, models=CHEAP, origins=4, seed=3, n_paths=200, timer=time.process_time
    )
    assert set(league.entries) == {*CHEAP, REFERENCE}
    best = league.rows[0]
    assert best.entry in CHEAP  # a week's pattern that repeats: anything that averages weeks beats the last one
    assert best.gm_sql_high < 1
    assert best.worse_than_naive == 0
    assert best.cpu_seconds > 0
    assert 0.6 < best.coverage_at(0.8) < 0.95
    assert league.sql.shape == (3, 8)
    assert sum(count for _, count in best.answered_by) == 8 * 4
    assert f"{best.entry} is better" in compare_entries(league, best.entry, REFERENCE, seed=1).verdict
    frame = league_frame(league)
    assert frame.loc[0, "gm_sql"] == best.gm_sql
    assert frame["coverage80"].tolist() == [row.coverage_at(0.8) for row in league.rows]
    assert len(league_series_frame(league)) == 3 * 8
    assert set(league_coverage_frame(league)["level"]) == {0.5, 0.8, 0.9, 0.95}


def test_the_forecasts_are_those_of_the_stage() -> None:
    series = several(2)
    made = bench(series, "seasonal_median")
    known = 120 - 10
    past = replace(series[1], values=series[1].values[:known])
    task = ForecastTask(
        series=(replace(series[0], values=series[0].values[:known]), past), horizon=10, models=("seasonal_median",),
        countries=("", ""), n_paths=100, seed=3, origins=Settings().origins,
    )  # fmt: skip
    answer = forecast_batch(task)[1]
    assert isinstance(answer, Forecast)
    np.testing.assert_allclose(made.entries[0].quantiles[1, -1], np.quantile(answer.paths, LEAGUE_LEVELS, axis=0))
    np.testing.assert_array_equal(made.outcomes.actual[1, -1], series[1].values[known:])
    assert made.cut_offs[1][-1] == answer.cut_off


def test_default_is_the_stage_with_its_settings() -> None:
    recorder = Recorder()
    quick = several(1, 60)
    # A task is enough: the models of the settings take too long for a test, so they are replaced before they run.
    with pytest.raises(RuntimeError, match="seen"):
        bench(quick, "default", executor=_Stop(recorder))
    assert {task.models for task in recorder.tasks} == {Settings().models}


def test_default_is_the_stage_with_the_settings_of_the_caller() -> None:
    own = Settings(models=("trend",), origins=2, error_half_life_days=9.0, mean_block_days=5.0)
    recorder, series = Recorder(), several(2)
    made = bench(series, "default", "seasonal_median", settings=own, executor=recorder)
    assert {task.models for task in recorder.tasks} == {("trend",), ("seasonal_median",)}
    for task in recorder.tasks:
        assert (task.origins, task.half_life_days, task.mean_block_days) == (2, 9.0, 5.0)
    alone = bench(series, "trend", settings=own)
    np.testing.assert_array_equal(made.entries[0].quantiles, alone.entries[0].quantiles)
    assert {name for name, _ in made.entries[0].answered_by} <= {"trend", "seasonal_naive"}


class _Stop:
    """An executor that looks at the jobs and goes no further."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self.recorder.tasks += [item.task for item in items]  # type: ignore[attr-defined]
        raise RuntimeError("seen")


def test_nothing_of_the_scored_window_reaches_the_stage() -> None:
    """Altered futures leave the forecasts bit-equal, and no task holds a value at or after its origin."""
    series = several(3)
    recorder = Recorder()
    before = bench(series, executor=recorder)
    other = [replace(s, values=np.concatenate((s.values[:-10], s.values[-10:] * 50 + 7))) for s in series]
    after = bench(other)
    for a, b in zip(before.entries, after.entries, strict=True):
        np.testing.assert_array_equal(a.quantiles, b.quantiles)
    np.testing.assert_array_equal(before.reference.quantiles, after.reference.quantiles)
    np.testing.assert_array_equal(before.outcomes.scales, after.outcomes.scales)
    assert not np.array_equal(before.outcomes.actual, after.outcomes.actual)
    for task in recorder.tasks:
        assert len({len(s) for s in task.series}) == 1
        for s in task.series:
            assert s.values.base is None or len(s.values.base) == len(s.values)
            assert len(s) <= 110


def test_series_that_end_at_other_times_are_not_learnt_from_together() -> None:
    """A series that goes on for a year after another ended would tell the stage its future."""
    late = [replace(s, start=datetime(2028, 3, 1, tzinfo=UTC), service=f"late{s.service}") for s in several(2)]
    apart, together = Recorder(), Recorder()
    made = bench([*several(2), *late], "trend", executor=apart)
    bench([*several(2), *late], "trend", executor=together, pool="all")
    assert sorted(len(task.series) for task in apart.tasks) == [2] * 6
    assert sorted(len(task.series) for task in together.tasks) == [4] * 3
    for task in apart.tasks:
        assert len({s.start for s in task.series}) == 1
    assert [ends[-1] for ends in made.cut_offs][::2] == [
        datetime(2027, 3, 1, tzinfo=UTC) + timedelta(days=110), datetime(2028, 3, 1, tzinfo=UTC) + timedelta(days=110),
    ]  # fmt: skip


def test_short_series_are_left_out_and_named() -> None:
    series = [*several(2), daily(WEEK, "short"), daily(np.full(120, np.nan), "empty")]
    league = run_workbench(series, horizon=10, models=("trend",), seed=3, n_paths=50)
    assert [key[0] for key, _ in league.excluded] == ["short", "empty"]
    assert league.excluded[0][1].reason.startswith("7 slices, too few for 3 origins")
    assert len(league.series) == 2
    enough = int(league.excluded[0][1].what_would_help.split()[0])
    assert not run_workbench(
        [daily(np.resize(WEEK, enough) + np.arange(enough) % 3, "s")], horizon=10, models=("trend",), seed=1, n_paths=50
    ).excluded


def test_a_model_that_declines_falls_back_and_is_counted() -> None:
    """Without public holidays there is nothing for holiday_naive to do."""
    series = several(2)
    made = bench(series, "holiday_naive")
    league = run_workbench(series, horizon=10, models=("holiday_naive",), seed=3, n_paths=100)
    row = league.row("holiday_naive")
    assert row is not None
    assert "holiday_naive" not in dict(row.answered_by)
    assert row.replaced_rate == 0
    assert row.fallback_rate == pytest.approx(float(made.entries[0].fallback.mean()))
    gappy = [replace(s, values=np.where(np.arange(120) < 112, np.nan, s.values)) for s in series]
    with pytest.raises(InputError, match="none with 3 origins"):
        bench(gappy)


def test_what_the_stage_excuses_is_scored_as_the_reference() -> None:
    """Two observations before the first origin: the stage says nothing there, seasonal naive answers."""
    values = np.resize(WEEK, 120) + np.random.default_rng(1).normal(0, 3, 120)
    values[:90] = np.where(np.isin(np.arange(90), [40, 89]), values[:90], np.nan)
    values[90:99] = np.nan
    league = run_workbench([daily(values, "gap"), *several(2)], horizon=10, models=("trend",), seed=3, n_paths=50)
    row = league.row("trend")
    assert row is not None
    assert row.replaced_rate == pytest.approx(1 / 9)
    assert sum(count for _, count in row.excuses) >= 1
    assert np.isfinite([row.gm_sql, row.msis95]).all()


def test_processes_and_batches_change_nothing() -> None:
    series = several(4)
    here = run_workbench(series, horizon=10, models=CHEAP, seed=3, n_paths=100)
    there = run_workbench(series, horizon=10, models=CHEAP, seed=3, n_paths=100, executor=JoblibLoky(2))
    assert here.rows == there.rows
    np.testing.assert_array_equal(here.sql, there.sql)
    assert here.data_sha256 == there.data_sha256
    moved = [*series[:-1], replace(series[-1], values=series[-1].values + 1e-9)]
    assert bench(moved, "trend").data_sha256 != here.data_sha256


def test_inputs_are_not_changed() -> None:
    series = several(2)
    kept = [s.values.copy() for s in series]
    bench(series)
    for s, values in zip(series, kept, strict=True):
        np.testing.assert_array_equal(s.values, values)


@pytest.mark.parametrize(
    ("argument", "more"),
    [
        ("origins", {"origins": 2}),
        ("horizon", {"horizon": 0}),
        ("models", {"models": ()}),
        ("models", {"models": ("trend", "trend")}),
        ("models", {"models": (REFERENCE,)}),
        ("models", {"models": ("trnd",)}),
        ("countries", {"countries": ("US",)}),
        ("strata", {"strata": ("a",)}),
        ("batch", {"batch": 0}),
        ("pool", {"pool": "some"}),
    ],
)
def test_arguments_out_of_range_are_refused(argument: str, more: dict[str, object]) -> None:
    arguments: dict[str, object] = {"horizon": 10, "models": ("trend",), "seed": 1, "n_paths": 20} | more
    with pytest.raises(InputError) as caught:
        run_workbench(several(2), **arguments)  # type: ignore[arg-type]
    assert caught.value.argument == argument

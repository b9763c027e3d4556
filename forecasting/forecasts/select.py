"""Choosing the model of a series from its back-test: seasonal naive stays unless another is clearly better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.backtest import NAIVE, Backtest, score_forecasts
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import BacktestScore, ModelChoice
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 0.02
"""A challenger must have a scaled quantile loss lower than seasonal naive's by this share."""
MEMBER_LIMIT = 1.1
"""Models up to this multiple of seasonal naive's loss are members of the combination."""
COMBINATION = "combination"


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """A choice with what the next stages need of it."""

    choice: ModelChoice
    members: tuple[str, ...]
    """Models whose median is the forecast; one name unless the combination was chosen."""
    forecasts: NDArray[np.float64]
    """Shape (k, horizon): the chosen forecasts at the origins of the back-test."""


def relative_to_naive(score: BacktestScore, naive: BacktestScore) -> BacktestScore:
    """Return `score` with its ratios to seasonal naive, clipped to 0.01 to 100.

    Examples
    --------
    >>> s = BacktestScore(model="a", origins=1, mase=1.0, sql=0.5, mase_vs_naive=1, sql_vs_naive=1, coverage80=0.8,
    ...     coverage95=0.9, bias=0.0, cpu_seconds=0.0)
    >>> relative_to_naive(replace(s, mase=0.5), s).mase_vs_naive
    0.5
    """

    def ratio(mine: float, theirs: float) -> float:
        if theirs > 0:
            return float(np.clip(mine / theirs, 0.01, 100.0))
        return 1.0 if mine <= 0 else 100.0

    return replace(score, mase_vs_naive=ratio(score.mase, naive.mase), sql_vs_naive=ratio(score.sql, naive.sql))


def select_model(test: Backtest, series: Series, *, half_life: float, ordinary: bool = True) -> Selection:
    """Choose by the scaled quantile loss over the origins.

    Candidates are all models that ran and the median of those within `MEMBER_LIMIT` of seasonal naive. A candidate
    other than seasonal naive must beat it by `MARGIN`. Between the best single model and the combination the
    combination wins unless it is worse by `MARGIN`: a choice among a few origins is partly luck, a median is not.

    Parameters
    ----------
    test : Backtest
        With seasonal naive in it.
    series : Series
        The series tested.
    half_life : float
        In slices; see `forecasting.forecasts.calibrate.calibrate`.
    ordinary : bool
        False where the last season holds holidays that stood out. Seasonal naive would repeat them, and its back-test,
        made from mostly ordinary seasons, does not speak for that; it then stands back if anything else ran.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.forecasts.backtest import run_backtest
    >>> from forecasting.forecasts.context import make_context
    >>> from forecasting.forecasts.models import get_model
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.tile(np.arange(7.0), 8))
    >>> t = run_backtest(s, make_context(s, 7, ""), [get_model("seasonal_naive")], origins=2, horizon=10, seed=1,
    ...     timer=lambda: 0.0)
    >>> select_model(t, s, half_life=60.0).choice.chosen
    'seasonal_naive'
    """
    scores = {
        name: score_forecasts(name, test, rows, series, half_life=half_life, cpu=test.cpu[name])
        for name, rows in test.forecasts.items()
    }
    naive = scores[NAIVE]
    scores = {name: relative_to_naive(score, naive) for name, score in scores.items()}
    rows = dict(test.forecasts)
    eligible = [name for name in scores if ordinary or name != NAIVE] if len(scores) > 1 else [NAIVE]
    members = tuple(name for name in eligible if scores[name].sql_vs_naive <= MEMBER_LIMIT)
    if len(members) >= 3:
        rows[COMBINATION] = np.median(np.stack([rows[name] for name in members]), axis=0)
        combined = score_forecasts(
            COMBINATION,
            test,
            rows[COMBINATION],
            series,
            half_life=half_life,
            cpu=sum(test.cpu[name] for name in members),
        )
        scores[COMBINATION] = relative_to_naive(combined, naive)
    ranked = sorted(scores.values(), key=lambda s: (s.sql_vs_naive, s.model != COMBINATION, s.cpu_seconds, s.model))
    best = next(s for s in ranked if s.model in (*eligible, COMBINATION))
    if COMBINATION in scores and scores[COMBINATION].sql_vs_naive <= best.sql_vs_naive * (1 + MARGIN):
        best = scores[COMBINATION]
    if best.sql_vs_naive > 1 - MARGIN and ordinary:
        best = scores[NAIVE]
    choice = ModelChoice(
        service=series.service,
        metric=series.metric.name,
        chosen=best.model,
        scores=tuple(ranked),
        declined=test.declined,
        reason=_reason(best, ranked, members, len(test.origins), test.horizon, ordinary),
    )
    return Selection(
        choice=choice, members=members if best.model == COMBINATION else (best.model,), forecasts=rows[best.model]
    )


def _reason(
    best: BacktestScore,
    ranked: list[BacktestScore],
    members: tuple[str, ...],
    origins: int,
    horizon: int,
    ordinary: bool,
) -> str:
    """The choice in one sentence."""
    where = f"over {origins} origins of {horizon} slices"
    if best.model == NAIVE:
        if len(ranked) == 1:
            return f"seasonal_naive is the only model that ran {where}"
        other = next(s for s in ranked if s.model != NAIVE)
        return (
            f"seasonal_naive stays: the best challenger, {other.model}, reached {other.sql_vs_naive:.2f} of its "
            f"scaled quantile loss {where}, above {1 - MARGIN:.2f}"
        )
    made = f" (median of {', '.join(members)})" if best.model == COMBINATION else ""
    instead = "" if ordinary else "; seasonal naive stands back, because the last season holds unusual holidays"
    return f"{best.model}{made} has {best.sql_vs_naive:.2f} of seasonal naive's scaled quantile loss {where}{instead}"


def declined_text(declined: tuple[tuple[str, Excuse], ...]) -> str:
    """Return the excuses in one line.

    Examples
    --------
    >>> declined_text((("ets", Excuse(reason="too short", what_would_help="time")),))
    'ets: too short'
    """
    return "; ".join(f"{name}: {excuse.reason}" for name, excuse in declined)

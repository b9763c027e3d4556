"""The gauges of a plan and of the last cycle of `watch`.

No label holds a value that changes from run to run: windows are counted from the running one (``current``, ``next_1``
...), so that a dashboard of today still works next year and no series is left behind at a month's turn; when a window
starts and ends are gauges. What has a date is a timestamp, not an age: an age would stand still when runs stop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from forecasting.adapters._exposition_text import Gauge, LabelValues, exposition, seconds
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.history import MetricKind
from forecasting.terms.plan import ObjectiveOutlook, Plan, ServiceOutlook
from forecasting.terms.service_level import Period
from forecasting.terms.warning import EarlyWarning, Severity

SPANS = {"1d": 1, "7d": 7, "28d": 28}
"""Spans of the demand gauges, in days."""
LEVELS = (0.1, 0.5, 0.9)
SEVERITY_NUMBERS = {Severity.INFO: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}
"""What the gauge of a warning's severity says; 0 = no warning stands."""

_PROMISE = ("service", "agreement", "objective")
_WINDOW = (*_PROMISE, "window")
_MONEY = (*_WINDOW, "currency")
_DEMAND = ("service", "metric", "span")
_RESOURCE = ("service", "resource")

GAUGES: tuple[Gauge, ...] = (
    Gauge(
        name="forecasting_breach_probability",
        help="Probability that the objective is missed at the window's end, 0 to 1; 0 and 1 only where it is settled.",
        labels=_WINDOW,
    ),
    Gauge(
        name="forecasting_breach_probability_low",
        help="Lower end of the 90 % interval of the probability, 0 to 1.",
        labels=_WINDOW,
    ),
    Gauge(
        name="forecasting_breach_probability_high",
        help="Upper end of the 90 % interval of the probability, 0 to 1.",
        labels=_WINDOW,
    ),
    Gauge(
        name="forecasting_attainment_expected_ratio",
        help="Expected (median) attainment of the whole window, 0 to 1.",
        labels=_WINDOW,
    ),
    Gauge(
        name="forecasting_attainment_so_far_ratio",
        help="Attainment of the running window up to the data cut-off, 0 to 1; absent before the first event.",
        labels=_WINDOW,
    ),
    Gauge(name="forecasting_target_ratio", help="Target of the objective, 0 to 1.", labels=_PROMISE),
    Gauge(
        name="forecasting_error_budget_remaining_ratio",
        help="Share of the running window's error budget that is left, at most 1; below 0 it is overspent.",
        labels=_WINDOW,
    ),
    Gauge(
        name="forecasting_error_budget_exhaustion_timestamp_seconds",
        help="Instant by which the error budget is gone on 10 % and on 50 % of the paths; absent where that is later "
        "than the window.",
        labels=(*_WINDOW, "level"),
    ),
    Gauge(
        name="forecasting_expected_credit",
        help="Mean service credit of the window, in the currency of the label; absent where nothing is agreed.",
        labels=_MONEY,
    ),
    Gauge(
        name="forecasting_expected_loss",
        help="Mean business loss of the customer in the window, in the currency of the label.",
        labels=_MONEY,
    ),
    Gauge(name="forecasting_window_start_timestamp_seconds", help="Start of the window.", labels=_WINDOW),
    Gauge(name="forecasting_window_end_timestamp_seconds", help="End of the window.", labels=_WINDOW),
    Gauge(
        name="forecasting_warning_severity",
        help="Early warning on the window: 0 none stands, 1 info, 2 warning, 3 critical.",
        labels=_WINDOW,
    ),
    Gauge(
        name="forecasting_warning_decide_by_timestamp_seconds",
        help="End of the last local day on which the first action that helps can be decided; absent without a warning.",
        labels=_WINDOW,
    ),
    Gauge(name="forecasting_warnings", help="Warnings that stand, by severity.", labels=("severity",)),
    Gauge(
        name="forecasting_demand_forecast",
        help="Demand of the coming 1, 7 or 28 days: the sum of a count, the mean of anything else; level is the "
        "quantile.",
        labels=(*_DEMAND, "level"),
    ),
    Gauge(
        name="forecasting_demand_recent",
        help="Demand of the last 1, 7 or 28 days, made like the forecast; absent where a day is missing.",
        labels=_DEMAND,
    ),
    Gauge(
        name="forecasting_headroom_ratio",
        help="Usable limit minus peak use, as a share of the usable limit, now; below 0 it is passed.",
        labels=_RESOURCE,
    ),
    Gauge(
        name="forecasting_headroom_horizon_ratio",
        help="The same at the median peak of the horizon.",
        labels=_RESOURCE,
    ),
    Gauge(
        name="forecasting_capacity_exhaustion_probability",
        help="Probability that the usable limit is passed within the horizon, 0 to 1.",
        labels=_RESOURCE,
    ),
    Gauge(
        name="forecasting_capacity_order_by_timestamp_seconds",
        help="Start of the day by which more capacity must be ordered; absent where none is needed in the horizon.",
        labels=_RESOURCE,
    ),
    Gauge(
        name="forecasting_data_latest_timestamp_seconds",
        help="Start of the newest slice with data.",
        labels=("service", "metric"),
    ),
    Gauge(name="forecasting_run_as_of_timestamp_seconds", help="Data cut-off of the run that these numbers come from."),
    Gauge(
        name="forecasting_risk_skill_ratio",
        help="Brier skill of past statements against the past miss rate; above 0 is better, 1 is perfect.",
    ),
    Gauge(name="forecasting_alarm_precision_ratio", help="Warned windows that were missed, in the replayed past."),
    Gauge(name="forecasting_alarm_recall_ratio", help="Missed windows that were warned of, in the replayed past."),
    Gauge(
        name="forecasting_alarm_surprise_ratio",
        help="Missed windows without a warning the needed lead time before, in the replayed past.",
    ),
    Gauge(name="forecasting_cycle_end_timestamp_seconds", help="End of the last cycle of watch."),
    Gauge(name="forecasting_cycle_duration_seconds", help="Duration of the last cycle of watch."),
    Gauge(name="forecasting_cycle_failed", help="1 where the last cycle of watch ended with an error, else 0."),
    Gauge(
        name="forecasting_receiver_failures",
        help="Deliveries to the receiver that failed in the last cycle.",
        labels=("receiver",),
    ),
    Gauge(
        name="forecasting_receiver_waiting_notices",
        help="Notices kept until the receiver takes them.",
        labels=("receiver",),
    ),
    Gauge(name="forecasting_build_info", help="Always 1; the version is a label.", labels=("version",)),
)
"""Every gauge there is."""


@dataclass(frozen=True, kw_only=True)
class ReceiverStatus:
    """How a receiver of warnings did in the last cycle.

    Examples
    --------
    >>> ReceiverStatus(name="on-call", failures=1, waiting=3).waiting
    3
    """

    name: str
    failures: int = 0
    """Deliveries that failed in the cycle."""
    waiting: int = 0
    """Notices that are kept for it."""


@dataclass(frozen=True, kw_only=True)
class CycleStatus:
    """How the last cycle of `watch` went.

    Examples
    --------
    >>> CycleStatus(finished_at=datetime(2027, 3, 1, tzinfo=UTC), duration_s=12.5).failed
    False
    """

    finished_at: datetime
    """UTC instant."""
    duration_s: float
    failed: bool = False
    """True where it ended with an error (a receiver that is down is none: see `receivers`)."""
    receivers: tuple[ReceiverStatus, ...] = ()


Line = tuple[str, LabelValues, float]


def metrics_text(plan: Plan | None, *, cycle: CycleStatus | None = None, version: str = "", before: str = "") -> str:
    """Return the gauges as Prometheus text exposition.

    Parameters
    ----------
    plan : Plan or None
        What to tell of; its `warnings` are those that stand. None where nothing has been computed yet.
    cycle : CycleStatus or None
        How the last cycle of `watch` went; None outside of it.
    version : str
        Version of the program for ``forecasting_build_info``; empty = that of the plan.
    before : str
        Exposition of an earlier cycle: gauges without any sample now keep those of then, so that a cycle that failed
        does not look as if nothing stood any more.

    Returns
    -------
    str
        Text that ends in a line feed; the same plan and cycle give the same bytes.

    Examples
    --------
    >>> status = CycleStatus(finished_at=datetime(1970, 1, 2, tzinfo=UTC), duration_s=0.5)
    >>> print(metrics_text(None, cycle=status), end="")
    # HELP forecasting_cycle_end_timestamp_seconds End of the last cycle of watch.
    # TYPE forecasting_cycle_end_timestamp_seconds gauge
    forecasting_cycle_end_timestamp_seconds 86400
    # HELP forecasting_cycle_duration_seconds Duration of the last cycle of watch.
    # TYPE forecasting_cycle_duration_seconds gauge
    forecasting_cycle_duration_seconds 0.5
    # HELP forecasting_cycle_failed 1 where the last cycle of watch ended with an error, else 0.
    # TYPE forecasting_cycle_failed gauge
    forecasting_cycle_failed 0
    """
    samples: dict[str, list[tuple[LabelValues, float]]] = defaultdict(list)
    for name, labels, value in _lines(plan, cycle, version):
        samples[f"forecasting_{name}"].append((labels, value))
    return exposition(GAUGES, samples, before=before)


def _lines(plan: Plan | None, cycle: CycleStatus | None, version: str) -> Iterator[Line]:
    """Yield name without prefix, label values and number of every sample."""
    if plan is not None:
        standing = {(w.service, w.agreement, w.objective, w.period): w for w in plan.warnings}
        for severity in SEVERITY_NUMBERS:
            yield "warnings", (severity.value,), sum(1 for w in plan.warnings if w.severity is severity)
        for outlook in plan.services:
            yield from _service(outlook)
            for objective in outlook.objectives:
                yield from _objective(objective, standing, plan.as_of)
        for requirement in plan.requirements:
            yield from _resource(requirement)
        # Once for each series, whichever services name it.
        newest = {(q.service, q.metric): q.last for s in plan.services for q in s.quality if q.rows}
        for series, last in newest.items():
            yield "data_latest_timestamp_seconds", series, seconds(last)
        yield "run_as_of_timestamp_seconds", (), seconds(plan.as_of)
        yield from _track_record(plan)
        version = version or plan.manifest.code_version
    if version:
        yield "build_info", (version,), 1
    if cycle is not None:
        yield "cycle_end_timestamp_seconds", (), seconds(cycle.finished_at)
        yield "cycle_duration_seconds", (), cycle.duration_s
        yield "cycle_failed", (), int(cycle.failed)
        for receiver in cycle.receivers:
            yield "receiver_failures", (receiver.name,), receiver.failures
            yield "receiver_waiting_notices", (receiver.name,), receiver.waiting


def window_names(risks: Sequence[BreachRisk], as_of: datetime) -> tuple[str, ...]:
    """Return the label of each window: ``current``, ``next_1`` ...; there is no current one before a first window.

    Parameters
    ----------
    risks : sequence of BreachRisk
        Of one objective, running window first.
    as_of : datetime
        The run's cut-off.

    Examples
    --------
    >>> window_names((), datetime(2027, 3, 1, tzinfo=UTC))
    ()
    """
    first = 0 if risks and risks[0].period.start <= as_of else 1
    return tuple("current" if k + first == 0 else f"next_{k + first}" for k in range(len(risks)))


def _objective(
    outlook: ObjectiveOutlook,
    standing: dict[tuple[str, str | None, str, Period], EarlyWarning],
    as_of: datetime,
) -> Iterator[Line]:
    """Yield what is told of one objective and its windows."""
    o = outlook.objective
    promise = (o.service, outlook.agreement.id if outlook.agreement else "", o.name)
    yield "target_ratio", promise, float(o.target)
    for name, r in zip(window_names(outlook.risks, as_of), outlook.risks, strict=True):
        window = (*promise, name)
        yield "breach_probability", window, r.probability
        yield "breach_probability_low", window, r.probability_low
        yield "breach_probability_high", window, r.probability_high
        yield "attainment_expected_ratio", window, r.attainment_p50
        if name == "current":
            if r.consumed_total:
                yield "attainment_so_far_ratio", window, r.consumed_good / r.consumed_total
            yield "error_budget_remaining_ratio", window, 1 - r.budget_spent
        for level, when in (("0.1", r.exhaustion_p10), ("0.5", r.exhaustion_p50)):
            if when is not None:
                yield "error_budget_exhaustion_timestamp_seconds", (*window, level), seconds(when)
        if r.currency:
            yield "expected_credit", (*window, r.currency), r.expected_credit
            yield "expected_loss", (*window, r.currency), r.expected_loss
        yield "window_start_timestamp_seconds", window, seconds(r.period.start)
        yield "window_end_timestamp_seconds", window, seconds(r.period.end)
        warning = standing.get((r.service, r.agreement, r.objective, r.period))
        yield "warning_severity", window, SEVERITY_NUMBERS[warning.severity] if warning else 0
        if warning is not None and warning.decide_by is not None:
            end = warning.decide_by + timedelta(days=1)
            yield "warning_decide_by_timestamp_seconds", window, _midnight(end, o.window.zone)


def _service(outlook: ServiceOutlook) -> Iterator[Line]:
    """Yield demand, before and to come."""
    forecast, demand, service = outlook.forecast, outlook.demand, outlook.service.name
    if forecast is not None:
        made = np.sum if forecast.metric.kind is MetricKind.COUNT else np.mean
        for span, days in SPANS.items():
            slices = int(timedelta(days=days) / forecast.step)
            if 1 <= slices <= forecast.horizon:
                per_path = made(forecast.paths[:, :slices], axis=1)
                for level in LEVELS:
                    key = (service, forecast.metric.name, span, f"{level:g}")
                    yield "demand_forecast", key, float(np.quantile(per_path, level))
    if demand is not None:
        made = np.sum if demand.metric.kind is MetricKind.COUNT else np.mean
        for span, days in SPANS.items():
            slices = int(timedelta(days=days) / demand.step)
            if 1 <= slices <= len(demand.values):
                yield "demand_recent", (service, demand.metric.name, span), float(made(demand.values[-slices:]))


def _resource(r: Requirement) -> Iterator[Line]:
    """Yield headroom and when it is gone."""
    key, usable = (r.service, r.resource), float(r.usable_units)
    if usable > 0:
        yield "headroom_ratio", key, r.headroom_now / usable
        yield "headroom_horizon_ratio", key, r.headroom_end / usable
    yield "capacity_exhaustion_probability", key, r.probability_exhausted
    if r.order_by is not None:
        yield "capacity_order_by_timestamp_seconds", key, _midnight(r.order_by, "UTC")


def _track_record(plan: Plan) -> Iterator[Line]:
    """Yield how often such statements came true."""
    if plan.risk_score is not None:
        yield "risk_skill_ratio", (), plan.risk_score.skill
    if plan.alarm_score is not None:
        a = plan.alarm_score
        for name, share in (("precision", a.precision), ("recall", a.recall), ("surprise", a.surprise_rate)):
            if share is not None:
                yield f"alarm_{name}_ratio", (), share


def _midnight(day: date, zone: str) -> float:
    """Return the start of a local day as seconds since 1970."""
    return seconds(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC))

"""How early warnings would have done in the replayed past: an alarm policy tried before it is switched on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from statistics import median

import numpy as np

from forecasting.early_warning.alarms import step
from forecasting.early_warning.policy import severity_of
from forecasting.terms.alarm import AlarmPolicy, AlarmState, Evaluation
from forecasting.terms.breach import AlarmScore
from forecasting.terms.errors import InputError
from forecasting.terms.notice import NoticeKind
from forecasting.terms.track_record import PolicyReplay, ReplayedWarning, Statement

THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 19))
"""Levels of a sweep: 5 % to 90 %."""
DAYS_PER_MONTH = 365.25 / 12

Promise = tuple[str, str, str]
"""(service, agreement or empty, objective)."""
_Key = tuple[str, str, str, str]


def replay_policy(
    statements: Sequence[Statement],
    policy: AlarmPolicy,
    *,
    levels: Mapping[Promise, float] | None = None,
    thresholds: Iterable[float] = THRESHOLDS,
    protocol: str = "",
) -> PolicyReplay:
    """Return what a policy would have made of past statements: its score, its warnings and the same at other levels.

    The statements are run through the state machine of `watch`, in order of time, each window closed with its verdict
    at its end. Only the first warning of a window counts. Windows that somebody acted upon are counted apart: what
    would have come of them without is not known.

    Parameters
    ----------
    statements : sequence of Statement
        Of closed windows, open or not when they were made, in any order.
    policy : AlarmPolicy
    levels : mapping of (service, agreement or empty, objective) to float, optional
        Level of each promise from its costs (`alarms.raise_level`); used where `policy.by_cost`.
    thresholds : iterable of float
        Levels of the sweep; the policy's own and the recommended one are added.
    protocol : str
        What was replayed, in words.

    Raises
    ------
    InputError
        Without any statement, or where one window carries two outcomes.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> from forecasting.terms.service_level import Period
    >>> may = Period(start=datetime(2027, 5, 1, tzinfo=UTC), end=datetime(2027, 6, 1, tzinfo=UTC), label="2027-05")
    >>> made = [Statement(service=s, agreement="sla", objective="up", tier="", kind="month", period=may, elapsed=0.0,
    ...                   at=may.start, probability=p, breached=s == "a") for s, p in (("a", 0.6), ("b", 0.5))]
    >>> found = replay_policy(made, AlarmPolicy(raise_at=0.35), thresholds=(0.55,))
    >>> found.score.precision, found.score.recall, found.score.surprise_rate, found.score.median_lead_days
    (0.5, 1.0, 0.0, 31.0)
    >>> [(s.threshold, s.precision) for s in found.sweep]
    [(0.35, 0.5), (0.55, 1.0)]
    """
    if not statements:
        raise InputError(
            argument="statements", came="none", allowed="at least one statement on a closed window",
            try_instead="a longer history",
        )  # fmt: skip
    laid = _Laid.of(statements)
    own = dict(levels or {}) if policy.by_cost else {}
    recommended = median(own.values()) if own else None
    warnings = laid.warnings(policy, own)
    tried = {float(t) for t in thresholds} | {policy.raise_at} | ({recommended} if recommended is not None else set())
    return PolicyReplay(
        score=laid.score(warnings, policy, threshold=recommended if recommended is not None else policy.raise_at),
        warnings=warnings,
        sweep=tuple(laid.at_level(policy, t) for t in sorted(tried)),
        recommended=recommended,
        first=min(s.at for s in statements),
        last=max(s.at for s in statements),
        protocol=protocol,
    )


def sweep_thresholds(
    statements: Sequence[Statement], policy: AlarmPolicy, thresholds: Iterable[float] = THRESHOLDS
) -> tuple[AlarmScore, ...]:
    """Return how a policy would have done at each of several levels, the same for all windows.

    Examples
    --------
    >>> sweep_thresholds((), AlarmPolicy(raise_at=0.35), (0.2,))[0].windows
    0
    """
    laid = _Laid.of(statements)
    return tuple(laid.at_level(policy, level) for level in thresholds)


class _Laid:
    """Statements by instant, with the verdicts of their windows."""

    def __init__(self, by_time: list[tuple[datetime, list[Statement]]], windows: dict[_Key, Statement]) -> None:
        self.by_time, self.windows = by_time, windows
        self.severe = {at: _costly_from(made) for at, made in by_time}
        self.months = service_months(windows.values())

    @classmethod
    def of(cls, statements: Sequence[Statement]) -> _Laid:
        by_time: dict[datetime, list[Statement]] = defaultdict(list)
        windows: dict[_Key, Statement] = {}
        for s in statements:
            known = windows.setdefault(s.key, s)
            if (known.breached, known.period, known.treated) != (s.breached, s.period, s.treated):
                raise InputError(
                    argument="statements", came=" ".join(s.key), allowed="one outcome and one end per window",
                    try_instead="one label for each window of an objective",
                )  # fmt: skip
            if s.agreement is not None or s.ahead == 0:  # outside any agreement there is nobody to tell before it runs
                by_time[s.at].append(s)
        return cls(sorted((at, sorted(made, key=_earliest)) for at, made in by_time.items()), windows)

    def warnings(self, policy: AlarmPolicy, levels: Mapping[Promise, float]) -> tuple[ReplayedWarning, ...]:
        """Run the statements through the state machine and return the first warning of each window."""
        states: dict[_Key, AlarmState] = {}
        first: dict[_Key, ReplayedWarning] = {}
        running: dict[Promise, list[_Key]] = defaultdict(list)
        for at, made in self.by_time:
            self._close(states, running, policy, at)
            for s in made:
                promise = s.key[:3]
                # Of the windows of one promise a later one is not raised while an earlier one stands (`advance`).
                held = any(states[k].stands and states[k].period.start < s.period.start for k in running[promise])
                evaluation = self._evaluation(s, levels.get(promise))
                before = states.get(s.key)
                states[s.key], kind = step(before, evaluation, policy, at, held=held)
                if before is None:
                    running[promise].append(s.key)
                if kind is NoticeKind.RAISED:
                    again = first.get(s.key)
                    first[s.key] = (
                        self._warning(s, evaluation, policy)
                        if again is None
                        else replace(again, times_raised=again.times_raised + 1)
                    )
        return tuple(sorted(first.values(), key=lambda w: (w.raised_at, w.period, w.service, w.objective)))

    def _close(
        self, states: dict[_Key, AlarmState], running: dict[Promise, list[_Key]], policy: AlarmPolicy, at: datetime
    ) -> None:
        """Close the windows that have ended: they hold nothing back any more."""
        for keys in running.values():
            for key in [k for k in keys if states[k].period.end <= at]:
                keys.remove(key)
                last = self.windows[key]
                over = replace(self._evaluation(last, None), missed=last.breached, closed=True)
                states[key], _ = step(states[key], over, policy, last.period.end)

    def _evaluation(self, s: Statement, level: float | None) -> Evaluation:
        settled = s.decided and s.probability in (0.0, 1.0)
        return Evaluation(
            id="\x1f".join(s.key),
            service=s.service,
            agreement=s.agreement,
            objective=s.objective,
            period=s.period,
            probability=s.probability,
            severity=severity_of(
                expected=s.expected_cost,
                costly_from=self.severe.get(s.at, float("inf")),
                days_left=s.lead_days,
                days_needed=None,
            ),
            missed=s.breached if settled else None,
            raise_at=level,
        )

    def _warning(self, s: Statement, evaluation: Evaluation, policy: AlarmPolicy) -> ReplayedWarning:
        return ReplayedWarning(
            service=s.service,
            agreement=s.agreement,
            objective=s.objective,
            period=s.period,
            raised_at=s.at,
            probability=s.probability,
            lead_days=s.lead_days,
            breached=s.breached,
            in_time=s.lead_days >= policy.required_lead_days,
            expected_cost=s.expected_cost,
            currency=s.currency,
            severity=evaluation.severity.value,
            treated=s.treated,
        )

    def at_level(self, policy: AlarmPolicy, level: float) -> AlarmScore:
        """Score the policy with one level for all windows."""
        tried = replace(policy, raise_at=level, by_cost=False)
        return self.score(self.warnings(tried, {}), tried, threshold=level)

    def score(self, warnings: Sequence[ReplayedWarning], policy: AlarmPolicy, *, threshold: float) -> AlarmScore:
        """Count what came of the warned and of the other windows."""
        left = {key: s.breached for key, s in self.windows.items() if not s.treated}
        apart = [s for s in self.windows.values() if s.treated]
        lost = sum(left.values())
        counted = [w for w in warnings if not w.treated]
        true = [w for w in counted if w.breached]
        leads = [w.lead_days for w in true]
        false, raised = len(counted) - len(true), sum(w.times_raised for w in warnings)
        return AlarmScore(
            threshold=threshold,
            required_lead_days=policy.required_lead_days,
            windows=len(left),
            breaches=lost,
            warned=len(counted),
            precision=len(true) / len(counted) if counted else None,
            recall=len(true) / lost if lost else None,
            surprise_rate=(lost - sum(w.in_time for w in true)) / lost if lost else None,
            false_per_100_windows=100 * false / len(left) if left else 0.0,
            median_lead_days=median(leads) if leads else None,
            lead_p10_days=float(np.quantile(leads, 0.1)) if leads else None,
            service_months=self.months,
            false_per_100_service_months=100 * false / self.months if self.months else None,
            warnings_per_service_month=raised / self.months if self.months else None,
            treated=len(apart),
            treated_breaches=sum(s.breached for s in apart),
        )


def service_months(windows: Iterable[Statement]) -> float:
    """Return the months covered by windows, summed over services; windows that overlap count once.

    Examples
    --------
    >>> service_months(())
    0.0
    """
    spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for s in windows:
        spans[s.service].append((s.period.start, s.period.end))
    days = 0.0
    for own in spans.values():
        reached: datetime | None = None
        for start, end in sorted(own):
            begin = start if reached is None or start > reached else reached
            if end > begin:
                days += (end - begin).total_seconds() / 86400
                reached = end
    return days / DAYS_PER_MONTH


def _earliest(s: Statement) -> tuple[object, ...]:
    return s.period.start, s.period.end, s.key


def _costly_from(made: Sequence[Statement]) -> float:
    """Return the upper quartile of the positive expected costs of one instant: "costly" is relative to the others."""
    costs = [s.expected_cost for s in made if s.expected_cost > 0]
    return float(np.quantile(costs, 0.75)) if costs else float("inf")

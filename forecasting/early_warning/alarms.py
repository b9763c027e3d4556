"""When people are told of a risk: raised once, cleared with hysteresis, answered by people, judged when it is over.

Everything here is a pure function of states, evaluations and a policy, so that a policy can be tried on the past before
it is switched on, and so that a run that was cut off anywhere goes on from the states it stored as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from forecasting.early_warning.message import over_note
from forecasting.terms.alarm import STANDING, AlarmOutcome, AlarmPolicy, AlarmStage, AlarmState, Evaluation
from forecasting.terms.errors import InputError
from forecasting.terms.notice import Notice, NoticeKind
from forecasting.terms.warning import Severity

RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
"""How urgent, as a number."""
ANSWERS = (AlarmStage.ACKNOWLEDGED, AlarmStage.ACTING, AlarmStage.SNOOZED, AlarmStage.FALSE)
"""What people can say of an alarm that stands."""


def raise_level(
    cost_of_action: float, cost_of_breach: float, effect: float, *, lowest: float = 0.2, highest: float = 0.8
) -> float | None:
    """Return the probability from which acting on a warning pays: C(action) ÷ (C(breach) × effect), within bounds.

    Parameters
    ----------
    cost_of_action, cost_of_breach : float
        In one currency and of one window, 0 or more.
    effect : float
        Share of the probability of a breach that the action takes away, 0 to 1.
    lowest, highest : float
        Bounds of the result: a free action is no reason to warn of everything, a dear one none to stay silent.

    Returns
    -------
    float or None
        None where a breach costs nothing or the action does nothing: no level follows from costs then.

    Notes
    -----
    The cost-loss ratio of decision theory (Murphy, "Decision-making models in the cost-loss ratio situation", Monthly
    Weather Review 104, 1976), with an action that prevents only a share of the breaches.

    Examples
    --------
    >>> raise_level(2000, 10_000, 0.5)
    0.4
    >>> raise_level(10, 10_000, 0.5), raise_level(10, 0, 0.5)
    (0.2, None)
    """
    if not (cost_of_breach > 0 and effect > 0 and cost_of_action >= 0):
        return None
    return min(max(cost_of_action / (cost_of_breach * effect), lowest), highest)


def step(
    state: AlarmState | None, evaluation: Evaluation, policy: AlarmPolicy, at: datetime, *, held: bool = False
) -> tuple[AlarmState, NoticeKind | None]:
    """Return the state of one alarm after one evaluation, and what has to be told.

    Parameters
    ----------
    state : AlarmState or None
        As it was after the last evaluation; None = the window was never looked at.
    evaluation : Evaluation
    policy : AlarmPolicy
    at : datetime
        Cut-off of the evaluation (UTC). One before that of the state changes nothing: the state knows more. The same
        cut-off again counts once.
    held : bool
        True where an earlier window of the same promise stands: a new alarm would follow from that one.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from forecasting.terms.service_level import Period
    >>> day = datetime(2027, 3, 1, tzinfo=UTC)
    >>> march = Period(start=day, end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
    >>> state, told = None, []
    >>> for n, p in enumerate((0.2, 0.4, 0.3, 0.22, 0.2, 0.3)):
    ...     e = Evaluation(id="a", service="lga", agreement=None, objective="x", period=march, probability=p)
    ...     state, kind = step(state, e, AlarmPolicy(raise_at=0.35), day + n * timedelta(days=1))
    ...     told.append(kind.value if kind else "-")
    >>> told
    ['-', 'raised', '-', '-', 'resolved', '-']
    """
    if state is not None and at < state.at:
        return state, None
    now = _looked_at(state, evaluation, policy, at)
    if evaluation.missed:
        return _missed(now, evaluation, at)
    if evaluation.closed:
        return _over(now, at)
    if now.stage is AlarmStage.SNOOZED and now.until is not None and at >= now.until:
        now = replace(now, stage=AlarmStage.NEW, since=at, until=None)
    if now.stage in (AlarmStage.WATCHED, AlarmStage.RESOLVED):
        return _unraised(now, evaluation, policy, at, held=held)
    return _raised(now, evaluation, policy, at)


def _looked_at(state: AlarmState | None, e: Evaluation, policy: AlarmPolicy, at: datetime) -> AlarmState:
    """Take over what an evaluation says, without any consequence yet."""
    reached = e.missed is None and not e.closed and e.probability >= _level(e, policy)
    if state is None:
        return AlarmState(
            id=e.id, service=e.service, agreement=e.agreement, objective=e.objective, period=e.period,
            stage=AlarmStage.WATCHED, since=at, at=at, probability=e.probability, above=int(reached),
            missed=e.missed, closed=e.closed,
        )  # fmt: skip
    new = at > state.at
    return replace(
        state,
        at=at,
        probability=e.probability,
        probability_before=state.probability if new else state.probability_before,
        above=(state.above + 1 if new else max(state.above, 1)) if reached else 0,
        missed=e.missed,
        closed=e.closed,
    )


def _level(e: Evaluation, policy: AlarmPolicy) -> float:
    return policy.raise_at if e.raise_at is None else e.raise_at


def _missed(now: AlarmState, e: Evaluation, at: datetime) -> tuple[AlarmState, NoticeKind | None]:
    """The miss is settled: told once, whatever anybody said before."""
    if now.stage is AlarmStage.BREACHED:
        return now, None
    told = _higher(now.told, e.severity)
    made = replace(now, stage=AlarmStage.BREACHED, since=at, until=None, told=told, breached=now.breached + 1)
    return made, NoticeKind.BREACHED


def _over(now: AlarmState, at: datetime) -> tuple[AlarmState, NoticeKind | None]:
    """The window is over and not missed; told where a warning (or a miss that was restated) stood until now."""
    if now.stage in STANDING or now.stage is AlarmStage.BREACHED:
        return _resolved(now, at), NoticeKind.RESOLVED
    return now, None


def _unraised(
    now: AlarmState, e: Evaluation, policy: AlarmPolicy, at: datetime, *, held: bool
) -> tuple[AlarmState, NoticeKind | None]:
    """Nothing stands: raise it where the level was reached often enough in a row."""
    if held or now.above < policy.consecutive:
        return now, None
    made = replace(
        now,
        stage=AlarmStage.NEW,
        since=at,
        raise_at=_level(e, policy),
        told=e.severity,
        raised=now.raised + 1,
        raised_at=now.raised_at or at,
        by="",
        note="",
    )
    return made, NoticeKind.RAISED


def _raised(now: AlarmState, e: Evaluation, policy: AlarmPolicy, at: datetime) -> tuple[AlarmState, NoticeKind | None]:
    """Something stands (or was called false): clear it below the clearing level, tell once where it worsened."""
    # A breach that needed no alarm before it has no level of its own.
    cleared = e.probability < policy.clear_at(_level(e, policy) if now.raise_at is None else now.raise_at)
    if now.stage is AlarmStage.FALSE:
        # That it is over was told when it was called false; from here on it can be raised again.
        return (replace(now, stage=AlarmStage.RESOLVED, since=at, raise_at=None) if cleared else now), None
    if now.stage is AlarmStage.SNOOZED and cleared:
        return now, None  # told when the snooze ends, if it is still so then
    if cleared:
        return _resolved(now, at), NoticeKind.RESOLVED
    if now.stage is AlarmStage.BREACHED:  # late data have opened the outcome again
        now = replace(now, stage=AlarmStage.NEW, since=at, raised_at=now.raised_at or at)
    if now.told is not None and RANK[e.severity] <= RANK[now.told]:
        return now, None
    if now.stage is AlarmStage.SNOOZED:
        now = replace(now, stage=AlarmStage.NEW, since=at, until=None)
    return replace(now, told=e.severity, worsened=now.worsened + 1), NoticeKind.WORSENED


def _resolved(now: AlarmState, at: datetime) -> AlarmState:
    return replace(
        now,
        stage=AlarmStage.RESOLVED,
        since=at,
        until=None,
        told=None,
        raise_at=None,
        above=0,
        resolved=now.resolved + 1,
    )


def _higher(told: Severity | None, severity: Severity) -> Severity:
    return severity if told is None or RANK[severity] > RANK[told] else told


def advance(
    states: Mapping[str, AlarmState], evaluations: Iterable[Evaluation], policy: AlarmPolicy, at: datetime
) -> tuple[dict[str, AlarmState], tuple[Notice, ...]]:
    """Return the states after one evaluation of all windows, and the notices it causes, the most urgent first.

    Of the windows of one promise a later one is not raised while an earlier one stands, or would if nobody had called
    it false: it follows from that one, and ten warnings are read by nobody. One that was
    raised before goes on by its own probability.

    Parameters
    ----------
    states : mapping of str to AlarmState
        By identity, after the last evaluation.
    evaluations : iterable of Evaluation
        At most one for each identity; each of a window that is raised, settled or told of carries its warning.
    policy : AlarmPolicy
    at : datetime
        Cut-off of the evaluations (UTC).

    Raises
    ------
    InputError
        Where a notice is due for a window of which nothing can be told: neither the evaluation nor the state has a
        warning (`step` is for counting without any).

    Examples
    --------
    >>> advance({}, [], AlarmPolicy(raise_at=0.35), datetime(2027, 3, 1, tzinfo=UTC))
    ({}, ())
    """
    made = dict(states)
    notices = []
    ordered = sorted(evaluations, key=lambda e: (e.period.start, e.period.end, e.id))
    unseen = made.keys() - {e.id for e in ordered}
    first: dict[tuple[str, str | None, str], datetime] = {}
    for state in sorted((made[key] for key in unseen), key=lambda s: s.period.start):
        if _holds(state):
            first.setdefault((state.service, state.agreement, state.objective), state.period.start)
    for e in ordered:
        promise = (e.service, e.agreement, e.objective)
        held = promise in first and first[promise] < e.period.start
        before = made.get(e.id)
        after, kind = step(before, e, policy, at, held=held)
        if after.at == at:
            after = _written(after, e)
        made[e.id] = after
        if _holds(after):
            first[promise] = min(first.get(promise, e.period.start), e.period.start)
        if kind is not None:
            told = after.told if before is None or before.told is None else _higher(after.told, before.told)
            notices.append(notice_of(after, kind, at, worst=told))
    return made, tuple(sorted(notices, key=_urgency))


def _holds(state: AlarmState) -> bool:
    """Whether later windows of the promise have to wait: it stands, or would if nobody had called it false."""
    return state.stands or (state.stage is AlarmStage.FALSE and not state.closed)


def _written(state: AlarmState, e: Evaluation) -> AlarmState:
    """Keep what can be said of the warning now, under the stage it is in; a function of both, so that twice is once."""
    warning = e.warning or state.warning
    if warning is None:
        return state
    note, severity = warning.note, warning.severity
    if state.stage is AlarmStage.FALSE and state.warning is not None:
        note = state.warning.note
    elif state.stage is AlarmStage.RESOLVED or (e.closed and state.stage is AlarmStage.BREACHED):
        note = over_note(warning, e)
    if state.stage is AlarmStage.BREACHED and state.told is not None:
        severity = state.told
    return replace(state, warning=replace(warning, state=state.stage.value, severity=severity, note=note))


def notice_of(state: AlarmState, kind: NoticeKind, at: datetime, *, worst: Severity | None = None) -> Notice:
    """Return the notice that a state just asked for; its identity is the warning's, the kind and which of that kind.

    Parameters
    ----------
    state : AlarmState
    kind : NoticeKind
    at : datetime
        Cut-off of the evaluation that caused it (UTC).
    worst : Severity or None
        Highest severity told since it was raised.

    Raises
    ------
    InputError
        Where the state has no warning to tell.
    """
    if state.warning is None:
        raise InputError(
            argument="evaluations",
            came=f"{state.id} without a warning",
            allowed="a warning with every evaluation that people are to be told of",
            try_instead="forecasting.early_warning.policy.evaluate",
        )
    return Notice(
        id=f"{state.id}:{kind.value}:{getattr(state, kind.value)}",
        kind=kind,
        at=at,
        warning=state.warning,
        over=kind is NoticeKind.RESOLVED or (kind is NoticeKind.BREACHED and state.closed),
        worst=worst,
    )


def _urgency(notice: Notice) -> tuple[int, float, str]:
    w = notice.warning
    return -RANK[w.severity], -(w.expected_credit + w.expected_loss), notice.id


def answer(
    state: AlarmState, stage: AlarmStage, *, by: str, at: datetime, until: datetime | None = None, note: str = ""
) -> tuple[AlarmState, tuple[Notice, ...]]:
    """Return an alarm after what a person said of it; calling it false tells the receivers that it is over.

    Parameters
    ----------
    state : AlarmState
        One that stands.
    stage : AlarmStage
        One of `ANSWERS`.
    by : str
        Who says so; not empty.
    at : datetime
        When they said so (UTC).
    until : datetime or None
        Snoozed: the cut-off from which it counts as new again (UTC); needed there and nowhere else.
    note : str
        Why.

    Raises
    ------
    InputError
        For an alarm that does not stand, no name, or a snooze that would end before it begins.
    """
    if not state.stands:
        raise InputError(
            argument="id", came=f"{state.id}, which is {state.stage.value}", allowed="a warning that stands",
            try_instead="forecasting warning list",
        )  # fmt: skip
    if stage not in ANSWERS:
        raise InputError(
            argument="answer", came=stage.value, allowed=", ".join(a.value for a in ANSWERS), try_instead="acknowledged"
        )
    if not by.strip():
        raise InputError(argument="by", came=by, allowed="who says so", try_instead="--by 'A. Name'")
    if (stage is AlarmStage.SNOOZED) != (until is not None) or (until is not None and until <= state.at):
        raise InputError(
            argument="until", came=None if until is None else until.astimezone(UTC).isoformat(),
            allowed=f"with snooze, and only there, an instant after {state.at.astimezone(UTC).isoformat()}",
            try_instead="a later --until",
        )  # fmt: skip
    told_off = stage is AlarmStage.FALSE
    made = replace(
        state,
        stage=stage,
        since=at,
        by=by.strip(),
        note=note.strip(),
        until=until,
        acted=state.acted or stage is AlarmStage.ACTING,
        called_false=state.called_false or told_off,
        told=None if told_off else state.told,
        resolved=state.resolved + int(told_off),
    )
    if made.warning is not None:
        said = f"{made.by} says that this is no risk{': ' + made.note.rstrip('.') if made.note else ''}."
        made = replace(
            made,
            warning=replace(made.warning, state=stage.value, note=said if told_off else made.warning.note),
        )
    return made, (notice_of(made, NoticeKind.RESOLVED, state.at, worst=state.told),) if told_off else ()


def outcome_of(state: AlarmState, policy: AlarmPolicy) -> AlarmOutcome | None:
    """Return what came of an alarm; None while its window is open, or where it was neither warned of nor missed.

    Examples
    --------
    >>> from forecasting.terms.service_level import Period
    >>> day, end = datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC)
    >>> state = AlarmState(id="a", service="lga", agreement=None, objective="x", stage=AlarmStage.BREACHED, since=end,
    ...                    period=Period(start=day, end=end, label="2027-03"), at=end, probability=1.0, raised_at=day,
    ...                    closed=True, missed=True)
    >>> found = outcome_of(state, AlarmPolicy(raise_at=0.35))
    >>> found.verdict, found.lead_days, found.in_time
    ('true alarm', 31.0, True)
    """
    if not state.closed or (state.raised_at is None and not state.missed):
        return None
    if state.missed is None:
        verdict = "unknown"
    elif state.raised_at is None:
        verdict = "surprise"
    else:
        verdict = "true alarm" if state.missed else "false alarm"
    lead = None if state.raised_at is None else (state.period.end - state.raised_at).total_seconds() / 86400
    return AlarmOutcome(
        id=state.id,
        service=state.service,
        agreement=state.agreement,
        objective=state.objective,
        period=state.period,
        verdict=verdict,
        missed=state.missed,
        raised_at=state.raised_at,
        lead_days=lead,
        in_time=lead is not None and lead >= policy.required_lead_days,
        treated=state.acted,
        called_false=state.called_false,
    )


def standing(states: Mapping[str, AlarmState]) -> Sequence[AlarmState]:
    """Return the alarms that stand, and the settled misses of windows that still run; earliest window first."""
    found = [s for s in states.values() if s.stands or (s.stage is AlarmStage.BREACHED and not s.closed)]
    return sorted(found, key=lambda s: (s.period.end, s.id))

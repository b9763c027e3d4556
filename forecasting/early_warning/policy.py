"""Which breach risks become early warnings, and how urgent each is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from statistics import quantiles
from zoneinfo import ZoneInfo

from forecasting.early_warning.alarms import advance, step
from forecasting.early_warning.levels import acts, answers, level_of
from forecasting.early_warning.message import Facts, confidence_text, note_text
from forecasting.terms.alarm import AlarmPolicy, AlarmStage, AlarmState, Evaluation
from forecasting.terms.breach import BreachRisk, Cause, RiskScore
from forecasting.terms.errors import InputError
from forecasting.terms.plan import ObjectiveOutlook, ServiceOutlook
from forecasting.terms.proposal import Option, Proposal
from forecasting.terms.service_level import AttainmentStatus, Period
from forecasting.terms.warning import EarlyWarning, RankedAction, Severity

SHORT_DAYS = 7.0
"""Time left, beyond the lead time of the action, below which a warning is short of time."""
_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
_BEFORE = datetime.min.replace(tzinfo=UTC)


def warning_id(service: str, agreement: str | None, objective: str, period: Period) -> str:
    """Return the identity of a warning: service, agreement, objective and window, never a changing value.

    Examples
    --------
    >>> march = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
    >>> warning_id("lga", "sla-lga", "on-time", march)
    '8fd22eb6d7905a4d'
    """
    window = f"{period.start.astimezone(UTC).isoformat()}/{period.end.astimezone(UTC).isoformat()}"
    return hashlib.sha256("\0".join((service, agreement or "", objective, window)).encode()).hexdigest()[:16]


def is_warned(probability: float, warn_at: float, previous: float | None) -> bool:
    """Tell whether a window is warned of: raised at `warn_at`, cleared below 0.6 × `warn_at`.

    Parameters
    ----------
    probability, warn_at : float
        P(miss) now and the threshold, 0 to 1.
    previous : float or None
        P(miss) at the last run of a warning that stood then; None where none stood.

    Examples
    --------
    >>> is_warned(0.3, 0.35, None), is_warned(0.3, 0.35, 0.4), is_warned(0.2, 0.35, 0.4)
    (False, True, False)
    """
    window = Period(start=_BEFORE, end=_BEFORE, label="")
    policy = AlarmPolicy(raise_at=warn_at)
    e = Evaluation(id="", service="", agreement=None, objective="", period=window, probability=probability)
    return step(_stood(e, previous, policy), e, policy, _BEFORE)[0].stands


def _stood(e: Evaluation, previous: float | None, policy: AlarmPolicy) -> AlarmState | None:
    """Return the state of a window of which only P(miss) at the last run is known; None where no warning stood."""
    if previous is None or previous < policy.clear_at(policy.raise_at):
        return None
    return AlarmState(
        id=e.id, service=e.service, agreement=e.agreement, objective=e.objective, period=e.period,
        stage=AlarmStage.NEW, since=_BEFORE, at=_BEFORE, probability=previous, raise_at=policy.raise_at,
        told=Severity.CRITICAL, raised=1, raised_at=_BEFORE,
    )  # fmt: skip


def severity_of(
    *, expected: float, costly_from: float, days_left: float, days_needed: float | None, breached: bool = False
) -> Severity:
    """Return how urgent a warning is: critical when it is costly and short of time, warning when it is either.

    Parameters
    ----------
    expected, costly_from : float
        Expected credits and loss of the window, and the sum from which that is costly, in one currency.
    days_left, days_needed : float
        Days to the window's end and lead time of the recommended action (None where there is none).
    breached : bool
        True where the miss is settled: nothing is left to prevent, so time counts as short.

    Examples
    --------
    >>> severity_of(expected=9000, costly_from=5000, days_left=10, days_needed=7).value
    'critical'
    >>> severity_of(expected=9000, costly_from=5000, days_left=60, days_needed=7).value
    'warning'
    """
    costly = expected > 0 and expected >= costly_from
    short = breached or days_left - (days_needed or 0.0) <= SHORT_DAYS
    if costly and short:
        return Severity.CRITICAL
    return Severity.WARNING if costly or short else Severity.INFO


@dataclass(frozen=True, kw_only=True, eq=False)
class _Candidate:
    """A window with what it belongs to."""

    outlook: ServiceOutlook
    objective: ObjectiveOutlook
    risk: BreachRisk
    id: str
    previous: float | None


def build_warnings(
    outlooks: Sequence[ServiceOutlook],
    proposals: Sequence[Proposal],
    *,
    as_of: datetime,
    warn_at: float,
    previous: Mapping[str, float],
    track_record: RiskScore | None,
    customers: Mapping[str, str],
) -> tuple[EarlyWarning, ...]:
    """Return the warnings that stand at `as_of`, the most urgent first.

    Parameters
    ----------
    outlooks : sequence of ServiceOutlook
        Services with their objectives and risks.
    proposals : sequence of Proposal
        What can be done; those for the same service and objective become the actions of a warning.
    as_of : datetime
        UTC instant of the run.
    warn_at : float
        P(miss) at which a warning is raised, above 0 and at most 1.
    previous : mapping
        P(miss) at the last run by warning id, for the warnings that stood then.
    track_record : RiskScore or None
        How such probabilities have done, for the statement of confidence.
    customers : mapping
        Display name by customer id.

    Returns
    -------
    tuple of EarlyWarning
        State ``new`` where no warning stood before, ``standing`` where one did, ``breached`` where the miss is
        settled. A settled window that is met is never warned of. Of an objective's open windows only the first one
        that calls for it is warned of: the later ones follow from it, and ten warnings are read by nobody. An
        objective outside any agreement is warned of from the start of its window (before, there is no customer to
        tell and nothing is owed), and not at all where an agreement on the same indicator of the service speaks.

    Raises
    ------
    InputError
        If `warn_at` is not a probability above 0.

    Examples
    --------
    >>> build_warnings((), (), as_of=datetime(2013, 9, 1, tzinfo=UTC), warn_at=0.35, previous={}, track_record=None,
    ...                customers={})
    ()
    """
    if not 0 < warn_at <= 1:
        raise InputError(
            argument="warn_at", came=warn_at, allowed="a probability above 0, at most 1", try_instead="0.35"
        )
    policy = AlarmPolicy(raise_at=warn_at)
    evaluations = evaluate(
        outlooks, proposals, as_of=as_of, policy=policy, previous=previous, track_record=track_record,
        customers=customers,
    )  # fmt: skip
    stood = {e.id: state for e in evaluations if (state := _stood(e, previous.get(e.id), policy)) is not None}
    states, _ = advance(stood, evaluations, policy, as_of)
    named = [e.warning for e in evaluations if states[e.id].stands or e.missed]
    return most_urgent_first(w for w in named if w is not None)


def most_urgent_first(warnings: Iterable[EarlyWarning]) -> tuple[EarlyWarning, ...]:
    """Return warnings by severity, then by what they are expected to cost, then by P(miss)."""
    return tuple(
        sorted(
            warnings,
            key=lambda w: (_RANK[w.severity], -(w.expected_credit + w.expected_loss), -w.probability, w.id),
        )
    )


def evaluate(
    outlooks: Sequence[ServiceOutlook],
    proposals: Sequence[Proposal],
    *,
    as_of: datetime,
    policy: AlarmPolicy,
    previous: Mapping[str, float],
    track_record: RiskScore | None,
    customers: Mapping[str, str],
    known: Iterable[str] = (),
) -> tuple[Evaluation, ...]:
    """Return what is said of every open window that an alarm may have to be raised, kept or cleared for.

    Parameters
    ----------
    outlooks, proposals, as_of, track_record, customers
        As in `build_warnings`.
    policy : AlarmPolicy
    previous : mapping
        P(miss) at the last evaluation by warning id.
    known : iterable of str
        Identities with a state: they are evaluated whatever their probability.

    Examples
    --------
    >>> evaluate((), (), as_of=datetime(2013, 9, 1, tzinfo=UTC), policy=AlarmPolicy(raise_at=0.35), previous={},
    ...          track_record=None, customers={})
    ()
    """
    wanted = {*previous, *known}
    costly_from = _costly_from([risk for o in outlooks for x in o.objectives for risk in x.risks])
    found = []
    for outlook in outlooks:
        promised = {o.objective.indicator for o in outlook.objectives if o.agreement is not None}
        for objective in outlook.objectives:
            # Outside any agreement there is no customer to tell before the window runs, and nobody to tell where an
            # agreement on the same indicator speaks.
            silent = objective.agreement is None and objective.objective.indicator in promised
            for risk in sorted(objective.risks, key=lambda r: r.period.start):
                key = warning_id(risk.service, risk.agreement, risk.objective, risk.period)
                unowed = silent or (objective.agreement is None and risk.period.start > as_of)
                if unowed and key not in wanted:
                    continue
                level = level_of(risk, proposals, policy) if policy.by_cost else None
                lost = risk.decided and risk.probability >= 0.5
                reached = risk.probability >= (policy.raise_at if level is None else level)
                if not (lost or (reached and not risk.decided) or key in wanted):
                    continue
                c = _Candidate(outlook=outlook, objective=objective, risk=risk, id=key, previous=previous.get(key))
                warning = _warning(
                    c, outlooks, proposals, as_of=as_of, costly_from=costly_from, track=track_record,
                    customers=customers,
                )  # fmt: skip
                found.append(
                    Evaluation(
                        id=key,
                        service=risk.service,
                        agreement=risk.agreement,
                        objective=risk.objective,
                        period=risk.period,
                        probability=risk.probability,
                        severity=warning.severity,
                        missed=lost if risk.decided else None,
                        raise_at=level,
                        warning=warning,
                    )
                )
    return tuple(found)


def closings(
    states: Iterable[AlarmState],
    record: Sequence[ObjectiveOutlook],
    *,
    as_of: datetime,
    promised: Iterable[tuple[str, str | None, str]],
) -> tuple[Evaluation, ...]:
    """Return the evaluations of the alarms whose windows are over, judged, restated or no longer promised.

    Parameters
    ----------
    states : iterable of AlarmState
    record : sequence of ObjectiveOutlook
        Every closed window of every promise.
    as_of : datetime
        UTC instant of the run.
    promised : iterable of (service, agreement, objective)
        What the catalogue promises now.

    Examples
    --------
    >>> closings((), (), as_of=datetime(2013, 9, 1, tzinfo=UTC), promised=())
    ()
    """
    judged = {
        (a.service, a.agreement, a.objective, a.period.start, a.period.end): a
        for o in record
        for a in o.attainments
        if a.final or a.provisional
    }
    owed = set(promised)
    found = []
    for state in states:
        closed = state.period.end <= as_of
        a = judged.get((state.service, state.agreement, state.objective, state.period.start, state.period.end))
        withdrawn = (state.service, state.agreement, state.objective) not in owed
        missed: bool | None = None
        if closed and a is not None and a.status in (AttainmentStatus.MET, AttainmentStatus.BREACHED):
            missed = a.status is AttainmentStatus.BREACHED
            if state.closed and state.missed is missed:
                continue
        elif not (withdrawn or (closed and (a is None or a.final))):
            continue  # still open, or not judged yet because data are missing that may still come
        elif state.closed:
            continue
        probability = state.probability if missed is None else float(missed)
        warning = state.warning and replace(
            state.warning,
            raised_at=as_of,
            data_cut_off=as_of,
            probability=probability,
            probability_low=probability,
            probability_high=probability,
            probability_previous=state.probability if as_of > state.at else state.probability_before,
            lead_time_days=0.0,
            actions=(),
            decide_by=None,
        )
        found.append(
            Evaluation(
                id=state.id,
                service=state.service,
                agreement=state.agreement,
                objective=state.objective,
                period=state.period,
                probability=probability,
                severity=Severity.INFO if state.warning is None else state.warning.severity,
                missed=missed,
                closed=True,
                warning=warning,
            )
        )
    return tuple(found)


def _costly_from(risks: Sequence[BreachRisk]) -> float:
    """Return the upper quartile of the positive expected losses of all windows: "costly" is relative to the plan."""
    sums = sorted(s for r in risks if (s := r.expected_credit + r.expected_loss) > 0)
    if len(sums) < 2:
        return sums[0] if sums else 0.0
    return quantiles(sums, n=4, method="inclusive")[2]


def _warning(
    c: _Candidate,
    outlooks: Sequence[ServiceOutlook],
    proposals: Sequence[Proposal],
    *,
    as_of: datetime,
    costly_from: float,
    track: RiskScore | None,
    customers: Mapping[str, str],
) -> EarlyWarning:
    """Make the warning of one window."""
    risk, agreement, objective = c.risk, c.objective.agreement, c.objective.objective
    matching = [p for p in proposals if answers(p, risk)]
    zone = ZoneInfo(objective.window.zone)
    last_day = (risk.period.end - timedelta(microseconds=1)).astimezone(zone).date()
    actions = () if risk.decided else _actions(matching, risk.period, last_day)
    decide_by, lead = _first_step(matching, last_day) if actions else (None, None)
    # Where nothing helps in time, the recommended action tells how much earlier it had to begin.
    needed = lead if actions else next((float(p.recommendation.lead_time_days) for p in matching if acts(p)), None)
    days_left = (risk.period.end - as_of).total_seconds() / 86400
    named = _customers(c, outlooks, customers)
    breached = risk.decided
    severity = severity_of(
        expected=risk.expected_credit + risk.expected_loss,
        costly_from=costly_from,
        days_left=days_left,
        days_needed=needed,
        breached=breached,
    )
    cause = risk.causes[0] if risk.causes else Cause(name="no single cause", share=0.0, evidence=risk.basis)
    margin = _margin_events(c)
    owners = [agreement.owner if agreement else "", c.outlook.service.owner]
    inform = tuple(dict.fromkeys(x for x in (*owners, *named) if x))
    confidence = confidence_text(risk, track)
    first, middle = _local(risk.exhaustion_p10, zone), _local(risk.exhaustion_p50, zone)
    facts = Facts(
        service=c.outlook.service.display_name or c.outlook.service.name,
        objective=objective.display_name or objective.name,
        promise=agreement.promise if agreement else objective.description,
        risk=risk,
        previous=c.previous,
        breached=breached,
        expected_from=first,
        expected_to=middle,
        last_day=last_day,
        margin_events=margin,
        cause=cause,
        customers=named,
        actions=actions,
        too_late=bool(matching) and not actions,
        decide_by=decide_by,
        lead_days=lead,
        inform=inform,
        as_of=as_of,
    )
    return EarlyWarning(
        id=c.id,
        raised_at=as_of,
        data_cut_off=risk.as_of,
        service=risk.service,
        agreement=risk.agreement,
        objective=risk.objective,
        period=risk.period,
        probability=risk.probability,
        probability_low=risk.probability_low,
        probability_high=risk.probability_high,
        probability_previous=c.previous,
        expected_breach_from=first,
        expected_breach_to=middle,
        margin_events=margin,
        lead_time_days=days_left,
        lead_time_needed_days=needed,
        decide_by=decide_by,
        severity=severity,
        main_cause=cause,
        customers=named,
        expected_credit=risk.expected_credit,
        expected_loss=risk.expected_loss,
        currency=risk.currency,
        actions=actions,
        inform=inform,
        note=note_text(facts),
        confidence=confidence,
        state="breached" if breached else "new" if c.previous is None else "standing",
        dedup_key=c.id,
    )


def _in_time(option: Option, last_day: date) -> bool:
    """Tell whether an option is more than accepting the risk and helps before a window ends."""
    return option.kind != "accept_risk" and (option.effective_from is None or option.effective_from <= last_day)


def _actions(proposals: Sequence[Proposal], period: Period, last_day: date) -> tuple[RankedAction, ...]:
    """Return what helps before the window ends: the recommended first, then by what it leaves of P(miss), then cost.

    P(miss) after an action is known for the proposal's window only; the label says so where it is another one.
    """
    ranked = []
    for p in proposals:
        other = p.period is not None and p.period != period
        for i, o in enumerate(p.options):
            if _in_time(o, last_day):
                label = f"{o.label}, P stated for {p.period.label}" if other and p.period else o.label
                ranked.append((i != p.recommended, o.probability_after, o.cost_over_horizon, label))
    made: dict[str, RankedAction] = {}
    for _, after, cost, label in sorted(ranked):
        made.setdefault(label, RankedAction(label=label, probability_after=after, cost_over_horizon=cost))
    return tuple(made.values())


def _first_step(proposals: Sequence[Proposal], last_day: date) -> tuple[date | None, float | None]:
    """Return by when the first action that helps must be decided, and the days it takes."""
    for p in proposals:
        if _in_time(p.recommendation, last_day):
            return p.decide_by, float(p.recommendation.lead_time_days)
    for p in proposals:
        for o in p.options:
            if _in_time(o, last_day):
                return o.order_by, float(o.lead_time_days)
    return None, None


def _customers(c: _Candidate, outlooks: Sequence[ServiceOutlook], names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the customers of the agreement and of the agreements that rely on it."""
    agreement = c.objective.agreement
    if agreement is None:
        return ()
    leaning = [
        o.agreement.customer
        for s in outlooks
        for o in s.objectives
        if o.agreement is not None and agreement.id in o.agreement.relies_on
    ]
    return tuple(dict.fromkeys(names.get(who, who) for who in (agreement.customer, *leaning) if who))


def _margin_events(c: _Candidate) -> float:
    """Return the bad events still allowed: on the expected total of the window, else on the last closed window's."""
    risk = c.risk
    bad = risk.consumed_total - risk.consumed_good
    share = float(1 - risk.target)
    if bad > 0 and risk.budget_spent > 0:
        return bad / risk.budget_spent - bad
    totals = [a.total for a in c.objective.attainments if (a.final or a.provisional) and a.total > 0]
    expected = max(totals[-1] if totals else 0, risk.consumed_total)
    return share * expected - bad if expected else float("nan")


def _local(when: datetime | None, zone: ZoneInfo) -> date | None:
    """Return the local day of an instant."""
    return None if when is None else when.astimezone(zone).date()

"""Which risks become warnings, checked against cases worked by hand."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

from plan_fixture import AS_OF, CUSTOMERS, make_plan, month

from forecasting.early_warning.alarms import advance
from forecasting.early_warning.message import to_record
from forecasting.early_warning.policy import (
    build_warnings,
    closings,
    evaluate,
    is_warned,
    most_urgent_first,
    severity_of,
    warning_id,
)
from forecasting.terms.alarm import AlarmPolicy, AlarmStage, AlarmState, Evaluation
from forecasting.terms.errors import InputError
from forecasting.terms.plan import ObjectiveOutlook, Plan, ServiceOutlook
from forecasting.terms.service_level import Attainment, AttainmentStatus
from forecasting.terms.warning import EarlyWarning, Severity

PLAN = make_plan()
SEPTEMBER = warning_id("lga", "sla-lga", "lga-on-time", month(9))


def with_risk(probability: float, *, decided: bool = False, plan: Plan = PLAN) -> tuple[ServiceOutlook, ...]:
    """Return one service with one open window of the given P(miss)."""
    s = plan.services[0]
    o = s.objectives[0]
    risk = replace(o.risks[0], probability=probability, decided=decided)
    return (replace(s, objectives=(replace(o, risks=(risk,)),)),)


def build(
    outlooks: tuple[ServiceOutlook, ...], previous: Mapping[str, float] | None = None, plan: Plan = PLAN
) -> tuple[EarlyWarning, ...]:
    return build_warnings(
        outlooks, plan.proposals, as_of=AS_OF, warn_at=0.35, previous=previous or {}, track_record=plan.risk_score,
        customers=CUSTOMERS,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "before", "warned"),
    [
        (0.349, None, False),
        (0.35, None, True),
        (0.22, 0.4, True),  # stands until below 0.6 · 0.35 = 0.21
        (0.21, 0.4, True),
        (0.2, 0.4, False),
        (0.3, 0.1, False),  # no warning stood at 0.1
        (0.34, None, False),
    ],
)
def test_hysteresis(now: float, before: float | None, warned: bool) -> None:
    assert is_warned(now, 0.35, before) is warned
    found = build(with_risk(now), {} if before is None else {SEPTEMBER: before})
    assert bool(found) is warned
    if found:
        assert found[0].probability_previous == before
        assert found[0].state == ("new" if before is None else "standing")


def test_decided_windows_are_only_named_when_lost() -> None:
    assert build(with_risk(0.0, decided=True), {SEPTEMBER: 0.9}) == ()
    (lost,) = build(with_risk(1.0, decided=True))
    assert lost.state == "breached"
    assert lost.actions == ()
    assert lost.decide_by is None
    assert "has missed" in lost.note


def test_the_identity_never_depends_on_a_changing_value() -> None:
    first, second = build(with_risk(0.5))[0], build(with_risk(0.9), {SEPTEMBER: 0.5})[0]
    assert first.id == second.id == first.dedup_key == SEPTEMBER
    others = {warning_id("lga", "sla-lga", "lga-on-time", month(n)) for n in range(1, 13)}
    assert len(others) == 12
    assert warning_id("lga", "sla-lga", "other", month(9)) not in others
    assert warning_id("lgal", "sla-lga", "ga-on-time", month(9)) not in others


@pytest.mark.parametrize(
    ("expected", "left", "needed", "severity"),
    [
        (9000.0, 10.0, 7.0, Severity.CRITICAL),
        (9000.0, 60.0, 7.0, Severity.WARNING),
        (100.0, 10.0, 7.0, Severity.WARNING),
        (100.0, 60.0, None, Severity.INFO),
        (0.0, 60.0, None, Severity.INFO),
        (9000.0, 5.0, None, Severity.CRITICAL),
    ],
)
def test_severity_by_cost_and_time(expected: float, left: float, needed: float | None, severity: Severity) -> None:
    assert severity_of(expected=expected, costly_from=5000.0, days_left=left, days_needed=needed) is severity


def each_window() -> dict[str, EarlyWarning]:
    """The warning of each window of the first service, as if it were the only one."""
    s = PLAN.services[0]
    found = {}
    for risk in s.objectives[0].risks:
        (w,) = build((replace(s, objectives=(replace(s.objectives[0], risks=(risk,)),)),))
        found[w.period.label] = w
    return found


def test_of_an_objectives_open_windows_only_the_first_is_warned_of() -> None:
    assert set(each_window()) == {"2013-09", "2013-10", "2013-11", "2013-12"}
    assert [w.period.label for w in build(PLAN.services[:1])] == ["2013-09"]


def test_only_actions_that_come_in_time_are_named() -> None:
    by_window = each_window()
    # Slots ordered on 2013-09-11 serve from 2013-11-13: too late for October, in time for November and December.
    assert [a.label for a in by_window["2013-10"].actions] == ["Renegotiate the target to 76 %, P stated for 2013-12"]
    assert by_window["2013-10"].lead_time_needed_days == 0.0
    assert by_window["2013-12"].actions[0].label == "Add 2 departure slots an hour"
    assert by_window["2013-12"].lead_time_needed_days == 63.0
    assert by_window["2013-12"].decide_by == date(2013, 9, 20)


def test_an_internal_objective_is_warned_of_once_its_window_runs() -> None:
    s = PLAN.services[0]
    internal = (replace(s, objectives=(replace(s.objectives[0], agreement=None),)),)
    assert [w.period.label for w in build(internal)] == ["2013-09"]
    later = s.objectives[0].risks[1:]
    assert not build((replace(s, objectives=(replace(s.objectives[0], agreement=None, risks=later),)),))
    assert build((replace(s, objectives=(replace(s.objectives[0], risks=later),)),))[0].period.label == "2013-10"


def test_an_internal_objective_is_silent_where_an_agreement_speaks_of_the_same() -> None:
    s = PLAN.services[0]
    o = s.objectives[0]
    stricter = replace(o, agreement=None, objective=replace(o.objective, name="stricter", target=Decimal("0.82")))
    found = build((replace(s, objectives=(o, stricter)),))
    assert [w.objective for w in found] == [o.objective.name]
    assert [w.objective for w in build((replace(s, objectives=(stricter,)),))] == [o.risks[0].objective]


def test_nothing_in_time_is_said() -> None:
    slots = PLAN.proposals[0].options[0]
    only = replace(PLAN.proposals[0], options=(slots, PLAN.proposals[0].options[2]))
    (w,) = build(with_risk(0.9), plan=replace(PLAN, proposals=(only,)))
    assert w.actions == ()
    assert w.decide_by is None
    assert w.lead_time_needed_days == 63.0
    assert "takes effect before the window ends" in w.note


def test_the_margin_is_counted_in_bad_events() -> None:
    (w,) = build(with_risk(0.9))
    # 570 bad are 38.5 % of what the window allows: 570 ÷ 0.385 − 570 remain.
    assert w.margin_events == pytest.approx(570 / 0.385 - 570)
    future = each_window()["2013-10"]
    assert future.margin_events == pytest.approx(0.2 * 7620)  # the last closed window had 7,620 events


def test_customers_of_agreements_that_rely_on_it_are_told() -> None:
    ola, other = PLAN.services[0], PLAN.services[1]
    o = other.objectives[0]
    assert o.agreement is not None
    leaning = replace(other, objectives=(replace(o, agreement=replace(o.agreement, relies_on=("sla-lga",))),))
    w = next(x for x in build((ola, leaning)) if x.service == "lga")
    assert w.customers == ("Port Authority", CUSTOMERS["hostile"])
    assert set(w.customers) < set(w.inform)


def test_the_note_answers_the_seven_questions() -> None:
    (w,) = build(with_risk(0.87), {SEPTEMBER: 0.72})
    for words in (
        "LaGuardia is expected to miss On time (80 %) in 2013-09",  # what
        "ends on 2013-09-30, 20 days from now",  # when
        "87 % (90 % interval",  # how sure
        "72 % at the last run",
        "Main cause: evening peak",  # why
        "USD 10,9",  # what it costs
        "What can be done: Renegotiate",  # what can be done
        "Must know: Service level management, Network planning, Port Authority",  # who
        "Data until 2013-09-11T04:00Z",
    ):
        assert words in w.note


def test_confidence_names_the_track_record_or_its_absence() -> None:
    (with_score,) = build(with_risk(0.6))
    assert "Brier skill 0.26 (0.12 to 0.37), better than the past miss rate" in with_score.confidence
    assert "Of 63 statements near 62 %, 58 % came true" in with_score.confidence
    (without,) = build(with_risk(0.6), plan=replace(PLAN, risk_score=None))
    assert without.confidence.startswith("No track record yet")


def test_records_are_plain_json() -> None:
    outlook = with_risk(0.6)
    risk = replace(outlook[0].objectives[0].risks[0], consumed_good=0, consumed_total=0, budget_spent=0.0)
    bare = (replace(outlook[0], objectives=(replace(outlook[0].objectives[0], risks=(risk,), attainments=()),)),)
    (w,) = build(bare)
    assert math.isnan(w.margin_events)
    record = to_record(w)
    assert record["margin_events"] is None
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again == record
    assert record["window"] == {"label": "2013-09", "start": "2013-09-01T04:00:00Z", "end": "2013-10-01T04:00:00Z"}


def test_the_most_urgent_comes_first_and_the_order_is_stable() -> None:
    found = build(PLAN.services)
    ranks = [[Severity.CRITICAL, Severity.WARNING, Severity.INFO].index(w.severity) for w in found]
    assert ranks == sorted(ranks)
    assert [w.id for w in build(tuple(reversed(PLAN.services)))] == [w.id for w in found]


@pytest.mark.parametrize("warn_at", [0.0, -0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(warn_at: float) -> None:
    with pytest.raises(InputError, match="warn_at"):
        build_warnings((), (), as_of=AS_OF, warn_at=warn_at, previous={}, track_record=None, customers={})


def test_lead_time_counts_to_the_windows_end() -> None:
    (w,) = build(with_risk(0.9))
    assert timedelta(days=w.lead_time_days) == month(9).end - AS_OF


POLICY = AlarmPolicy(raise_at=0.35)


def evaluated(
    outlooks: tuple[ServiceOutlook, ...], policy: AlarmPolicy = POLICY, plan: Plan = PLAN, known: tuple[str, ...] = ()
) -> tuple[Evaluation, ...]:
    return evaluate(
        outlooks, plan.proposals, as_of=AS_OF, policy=policy, previous={}, track_record=plan.risk_score,
        customers=CUSTOMERS, known=known,
    )  # fmt: skip


def test_the_agreement_is_part_of_the_identity() -> None:
    assert warning_id("lga", "sla-other", "lga-on-time", month(9)) != SEPTEMBER
    assert warning_id("lga", None, "lga-on-time", month(9)) != SEPTEMBER


def test_plans_and_alarms_are_raised_by_one_rule() -> None:
    evaluations = evaluated(PLAN.services)
    states, _ = advance({}, evaluations, POLICY, AS_OF)
    stand = [s.warning for s in states.values() if s.stands or s.stage is AlarmStage.BREACHED]
    assert [w.id for w in most_urgent_first(w for w in stand if w)] == [w.id for w in build(PLAN.services)]


def test_only_windows_that_matter_are_evaluated() -> None:
    assert evaluated(with_risk(0.34)) == ()
    (known,) = evaluated(with_risk(0.1), known=(SEPTEMBER,))
    assert (known.id, known.probability, known.missed) == (SEPTEMBER, 0.1, None)
    (lost,) = evaluated(with_risk(1.0, decided=True))
    assert lost.missed is True
    (met,) = evaluated(with_risk(0.0, decided=True), known=(SEPTEMBER,))
    assert met.missed is False


def test_the_level_follows_from_costs_only_where_they_are_asked_for_and_known() -> None:
    by_cost = replace(POLICY, by_cost=True)
    p = PLAN.proposals[0]
    option = replace(p.recommendation, cost_over_horizon=5000.0, benefit_mean=10000.0, probability_before=0.8,
                     probability_after=0.2)  # fmt: skip
    options = tuple(option if i == p.recommended else o for i, o in enumerate(p.options))
    plan = replace(PLAN, proposals=(replace(p, options=options),))
    # It pays from half of the probability at which it saves what it costs.
    (found,) = evaluated(with_risk(0.6), by_cost, plan)
    assert found.raise_at == pytest.approx(0.6 * 5000 / 10000)
    assert evaluated(with_risk(0.6), POLICY, plan)[0].raise_at is None
    assert evaluated(with_risk(0.6), by_cost, replace(PLAN, proposals=()))[0].raise_at is None
    (cheap,) = evaluated(with_risk(0.22), by_cost, plan)
    assert cheap.raise_at == by_cost.lowest


def an_alarm() -> AlarmState:
    states, _ = advance({}, evaluated(with_risk(0.6)), POLICY, AS_OF)
    return states[SEPTEMBER]


def the_end(status: AttainmentStatus, *, final: bool = True) -> tuple[ObjectiveOutlook, ...]:
    o = PLAN.services[0].objectives[0]
    a: Attainment = replace(o.attainments[0], period=month(9), status=status, final=final, provisional=not final)
    return (replace(o, attainments=(a,)),)


@pytest.mark.parametrize(
    ("status", "final", "missed"),
    [
        (AttainmentStatus.MET, True, False),
        (AttainmentStatus.MET, False, False),
        (AttainmentStatus.BREACHED, True, True),
        (AttainmentStatus.UNDETERMINED, True, None),
        (AttainmentStatus.UNDETERMINED, False, "wait"),
    ],
)
def test_alarms_are_closed_with_the_verdict(status: AttainmentStatus, final: bool, missed: object) -> None:
    state, end = an_alarm(), month(9).end
    promised = [(state.service, state.agreement, state.objective)]
    found = closings([state], the_end(status, final=final), as_of=end, promised=promised)
    if missed == "wait":
        assert found == ()
        return
    (e,) = found
    assert (e.missed, e.closed) == (missed, True)
    after, notices = advance({state.id: state}, found, POLICY, end)
    assert [n.over for n in notices] == [True]
    assert (
        closings(after.values(), the_end(status, final=final), as_of=end + timedelta(days=1), promised=promised) == ()
    )
    words = {False: "was met", True: "was missed", None: "without a verdict"}[e.missed]
    assert words in notices[0].warning.note


def test_a_restated_window_changes_what_was_said() -> None:
    state, end = an_alarm(), month(9).end
    promised = [(state.service, state.agreement, state.objective)]
    states = {state.id: state}
    kinds = []
    for day, status in enumerate((AttainmentStatus.MET, AttainmentStatus.BREACHED, AttainmentStatus.MET)):
        at = end + timedelta(days=day)
        states, notices = advance(
            states, closings(states.values(), the_end(status), as_of=at, promised=promised), POLICY, at
        )
        kinds += [n.id.split(":", 1)[1] for n in notices]
    assert kinds == ["resolved:1", "breached:1", "resolved:2"]


def test_a_promise_that_is_withdrawn_ends_its_alarms() -> None:
    state = an_alarm()
    (e,) = closings([state], (), as_of=AS_OF, promised=[("lga", "sla-other", state.objective)])
    assert (e.closed, e.missed) == (True, None)
    promised = [(state.service, state.agreement, state.objective)]
    assert closings([state], (), as_of=AS_OF, promised=promised) == ()

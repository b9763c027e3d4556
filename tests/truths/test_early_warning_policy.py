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

from forecasting.early_warning.message import to_record
from forecasting.early_warning.policy import build_warnings, is_warned, severity_of, warning_id
from forecasting.terms.errors import InputError
from forecasting.terms.plan import Plan, ServiceOutlook
from forecasting.terms.warning import EarlyWarning, Severity

PLAN = make_plan()
SEPTEMBER = warning_id("lga", "lga-on-time", month(9))


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
    others = {warning_id("lga", "lga-on-time", month(n)) for n in range(1, 13)}
    assert len(others) == 12
    assert warning_id("lga", "other", month(9)) not in others
    assert warning_id("lgal", "ga-on-time", month(9)) not in others


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

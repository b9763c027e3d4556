"""Alarms on any course of probabilities: nothing is lost or told twice, and a run that was cut off goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.adapters._plain import plain
from forecasting.adapters._typed import typed
from forecasting.early_warning.alarms import ANSWERS, RANK, advance, answer, outcome_of, raise_level, step
from forecasting.terms.alarm import AlarmPolicy, AlarmStage, AlarmState, Evaluation
from forecasting.terms.errors import InputError
from forecasting.terms.notice import Notice, NoticeKind
from forecasting.terms.service_level import Period
from forecasting.terms.warning import Severity
from forecasting.testing.notifier import make_notice

DAY = timedelta(days=1)
START = datetime(2027, 3, 1, tzinfo=UTC)
WINDOWS = [
    Period(start=START + n * 30 * DAY, end=START + (n + 1) * 30 * DAY, label=f"w{n}") for n in range(3)
]  # fmt: skip
POLICIES = st.builds(
    AlarmPolicy,
    raise_at=st.sampled_from([0.2, 0.35, 0.5]),
    clear_share=st.sampled_from([0.6, 1.0]),
    consecutive=st.integers(1, 3),
)
SHARES = st.sampled_from([0.0, 0.1, 0.2, 0.21, 0.3, 0.35, 0.4, 0.5, 0.9, 1.0])
SEVERITIES = st.sampled_from(list(Severity))
laws = settings(derandomize=True, max_examples=60, deadline=None)


ALLOWED = {
    ("idle", "r"): "standing",
    ("standing", "w"): "standing",
    ("standing", "o"): "idle",
    ("breached", "w"): "standing",
    ("breached", "o"): "idle",
    ("idle", "b"): "breached",
    ("standing", "b"): "breached",
    ("breached", "b"): "breached",
}
"""What may be told after what."""


def evaluation(
    p: float, *, severity: Severity = Severity.INFO, window: int = 0, promise: str = "a", missed: bool | None = None,
    closed: bool = False,
) -> Evaluation:  # fmt: skip
    key = f"{promise}{window}"
    warning = replace(make_notice(severity=severity).warning, id=key, probability=p, period=WINDOWS[window])
    return Evaluation(
        id=key, service=promise, agreement=None, objective="x", period=WINDOWS[window], probability=p,
        severity=severity, missed=missed, closed=closed, warning=warning,
    )  # fmt: skip


MOMENTS = st.builds(
    lambda p, severity, window, promise, end: evaluation(
        p, severity=severity, window=window, promise=promise, missed=end[0], closed=end[1]
    ),
    SHARES,
    SEVERITIES,
    st.integers(0, 2),
    st.sampled_from("ab"),
    st.sampled_from([(None, False)] * 8 + [(True, False), (True, True), (False, True), (None, True)]),
)
"""What is said of one window at one cut-off; late data may take back what was settled."""
DAYS = st.lists(MOMENTS, max_size=4).map(lambda found: list({e.id: e for e in found}.values()))
REPLIES = st.none() | st.tuples(st.integers(0, 5), st.sampled_from(ANSWERS))
COURSES = st.lists(st.tuples(DAYS, REPLIES), max_size=14)
Course = list[tuple[list[Evaluation], tuple[int, AlarmStage] | None]]


def reply(
    states: dict[str, AlarmState], said: tuple[int, AlarmStage] | None, at: datetime
) -> tuple[dict[str, AlarmState], tuple[Notice, ...]]:
    """Let somebody answer one of the alarms that stand."""
    standing = [key for key, s in sorted(states.items()) if s.stands]
    if said is None or not standing:
        return states, ()
    key, until = standing[said[0] % len(standing)], at + 2 * DAY if said[1] is AlarmStage.SNOOZED else None
    made, notices = answer(states[key], said[1], by="ada", at=at, until=until)
    return {**states, key: made}, notices


def follow(course: Course, policy: AlarmPolicy, *, cut: bool = False) -> tuple[dict[str, AlarmState], list[Notice]]:
    states: dict[str, AlarmState] = {}
    told: list[Notice] = []
    for number, (evaluations, said) in enumerate(course):
        at = START + number * DAY
        if cut:  # stored, read by another process, and the evaluation made twice
            states = stored(states)
            states, notices = advance(states, evaluations, policy, at)
            again, nothing = advance(stored(states), evaluations, policy, at)
            assert nothing == ()
            assert plain(again) == plain(states)
        else:
            states, notices = advance(states, evaluations, policy, at)
        told += notices
        states, notices = reply(states, said, at)
        told += notices
    return states, told


def stored(states: dict[str, AlarmState]) -> dict[str, AlarmState]:
    return {key: typed(AlarmState, json.loads(json.dumps(plain(s)))) for key, s in states.items()}


@laws
@given(course=COURSES, policy=POLICIES)
def test_a_run_cut_off_anywhere_goes_on_as_if_it_had_not_been(course: Course, policy: AlarmPolicy) -> None:
    whole, told = follow(course, policy)
    pieces, again = follow(course, policy, cut=True)
    assert plain(whole) == plain(pieces)
    assert plain(told) == plain(again)


@laws
@given(course=COURSES, policy=POLICIES)
def test_nothing_is_told_twice_and_every_end_is_told(course: Course, policy: AlarmPolicy) -> None:
    states, told = follow(course, policy)
    assert len({n.id for n in told}) == len(told)
    for key, state in states.items():
        own = [n for n in told if n.warning.id == key]
        letters = "".join({"raised": "r", "worsened": "w", "breached": "b", "resolved": "o"}[n.kind.value] for n in own)
        assert all(len(part.replace("b", "").replace("r", "")) <= 2 for part in letters.split("o")), "rising only"
        place = "idle"
        for letter in letters:
            # A miss may be told without a warning or after one was called false, and late data may take it back.
            place = ALLOWED[place, letter]
        counts = (state.raised, state.worsened, state.breached, state.resolved)
        assert counts == tuple(letters.count(x) for x in "rwbo"), "the state knows what was told"
        last = own[-1].kind if own else None
        assert state.stands == (last in (NoticeKind.RAISED, NoticeKind.WORSENED)) or last is NoticeKind.BREACHED
        if state.closed:
            assert not state.stands, "what is over was told to be over"
            if state.missed:
                assert last is NoticeKind.BREACHED
        outcome = outcome_of(state, policy)
        assert (outcome is None) == (not state.closed or not (state.raised_at or state.missed))
    for n in told:
        assert n.over == (n.kind is NoticeKind.RESOLVED or (n.kind is NoticeKind.BREACHED and n.over))
        assert n.worst is not None
        assert RANK[n.worst] >= RANK[n.warning.severity] or n.kind is NoticeKind.RESOLVED


@laws
@given(course=st.lists(st.tuples(SHARES, SEVERITIES), max_size=25), policy=POLICIES)
def test_one_open_window_follows_the_plain_rule(course: list[tuple[float, Severity]], policy: AlarmPolicy) -> None:
    state, expected, told = None, [], []
    standing, run, worst = False, 0, 0
    for number, (p, severity) in enumerate(course):
        state, kind = step(state, evaluation(p, severity=severity), policy, START + number * DAY)
        told.append(kind)
        run = run + 1 if p >= policy.raise_at else 0
        rule = None
        if not standing and run >= policy.consecutive:
            standing, worst, rule = True, RANK[severity], NoticeKind.RAISED
        elif standing and p < policy.clear_share * policy.raise_at:
            standing, run, rule = False, 0, NoticeKind.RESOLVED
        elif standing and RANK[severity] > worst:
            worst, rule = RANK[severity], NoticeKind.WORSENED
        expected.append(rule)
    assert told == expected


@laws
@given(
    course=st.lists(st.floats(0.211, 0.349), min_size=1, max_size=30),
    before=st.none() | st.sampled_from([0.1, 0.4, 0.9]),
)
def test_inside_the_band_nothing_flaps(course: list[float], before: float | None) -> None:
    policy, state = AlarmPolicy(raise_at=0.35), None
    if before is not None:
        state, _ = step(state, evaluation(before), policy, START - DAY)
    stood = state is not None and state.stands
    for number, p in enumerate(course):
        state, kind = step(state, evaluation(p), policy, START + number * DAY)
        assert kind is None
        assert state.stands == stood


@laws
@given(course=st.lists(SHARES, max_size=12), policy=POLICIES, length=st.integers(1, 6))
def test_a_snooze_is_silent_until_it_ends(course: list[float], policy: AlarmPolicy, length: int) -> None:
    state = None
    for number in range(policy.consecutive):
        state, _ = step(state, evaluation(1.0), policy, START + number * DAY)
    assert state is not None
    assert state.stands
    until = state.at + length * DAY
    state, notices = answer(state, AlarmStage.SNOOZED, by="ada", at=START, until=until)
    assert notices == ()
    for number, p in enumerate(course, start=1):
        state, kind = step(state, evaluation(p), policy, state.at + DAY)
        assert kind is None or number >= length
        if number == length and p < policy.clear_share * policy.raise_at:
            assert kind is NoticeKind.RESOLVED, "what was withheld is told when it ends"


def test_a_snooze_ends_where_it_worsens_or_is_missed() -> None:
    policy = AlarmPolicy(raise_at=0.35)
    state, _ = step(None, evaluation(0.5), policy, START)
    state, _ = answer(state, AlarmStage.SNOOZED, by="ada", at=START, until=START + 10 * DAY)
    worse, kind = step(state, evaluation(0.6, severity=Severity.CRITICAL), policy, START + DAY)
    assert (worse.stage, kind) == (AlarmStage.NEW, NoticeKind.WORSENED)
    lost, kind = step(state, evaluation(1.0, missed=True), policy, START + DAY)
    assert (lost.stage, kind) == (AlarmStage.BREACHED, NoticeKind.BREACHED)
    met, kind = step(state, evaluation(0.0, missed=False, closed=True), policy, START + DAY)
    assert (met.stage, kind) == (AlarmStage.RESOLVED, NoticeKind.RESOLVED)


def test_a_false_alarm_comes_back_only_after_it_was_low() -> None:
    policy = AlarmPolicy(raise_at=0.35)
    states, told = advance({}, [evaluation(0.5)], policy, START)
    states["a0"], notices = answer(states["a0"], AlarmStage.FALSE, by="ada", at=START, note="a test")
    assert [n.id for n in notices] == ["a0:resolved:1"]
    assert notices[0].over
    assert "ada says that this is no risk: a test." in notices[0].warning.note
    kinds = []
    for number, p in enumerate((0.9, 0.3, 0.2, 0.4), start=1):
        states, told = advance(states, [evaluation(p)], policy, START + number * DAY)
        kinds += [n.id for n in told]
    assert kinds == ["a0:raised:2"]
    assert states["a0"].called_false
    with pytest.raises(InputError, match="stands"):
        answer(advance({}, [evaluation(0.1)], policy, START)[0]["a0"], AlarmStage.FALSE, by="ada", at=START)


def test_a_later_window_is_held_back_while_an_earlier_one_stands() -> None:
    policy = AlarmPolicy(raise_at=0.35)
    states, told = advance({}, [evaluation(0.5, window=n) for n in range(3)], policy, START)
    assert [n.id for n in told] == ["a0:raised:1"]
    # It stays held back while nothing is said of the earlier one, and is raised when that is over.
    states, told = advance(states, [evaluation(0.5, window=1)], policy, START + DAY)
    assert told == ()
    closing = evaluation(0.0, missed=False, closed=True)
    states, told = advance(states, [closing, evaluation(0.5, window=1)], policy, START + 2 * DAY)
    assert {n.id for n in told} == {"a0:resolved:1", "a1:raised:1"}
    # It stays held back, too, where somebody called the earlier one false.
    states, told = advance({}, [evaluation(0.5, window=n) for n in range(2)], policy, START)
    states["a0"], _ = answer(states["a0"], AlarmStage.FALSE, by="ada", at=START)
    states, told = advance(states, [evaluation(0.5, window=n) for n in range(2)], policy, START + DAY)
    assert told == ()
    # One that stood goes on, also beside an earlier one that is raised after it.
    states, told = advance({}, [evaluation(0.5, window=1)], policy, START)
    states, told = advance(states, [evaluation(0.5, window=0), evaluation(0.5, window=1)], policy, START + DAY)
    assert [n.id for n in told] == ["a0:raised:1"]
    assert states["a1"].stands


def test_an_older_cut_off_changes_nothing() -> None:
    policy = AlarmPolicy(raise_at=0.35)
    states, _ = advance({}, [evaluation(0.5)], policy, START)
    assert advance(states, [evaluation(0.0)], policy, START - DAY) == (states, ())


def test_outcomes_say_what_came_of_it() -> None:
    policy = AlarmPolicy(raise_at=0.35, required_lead_days=20)
    found = {}
    for name, course in {
        "true": [evaluation(0.5), evaluation(1.0, missed=True, closed=True)],
        "false": [evaluation(0.5), evaluation(0.0, missed=False, closed=True)],
        "surprise": [evaluation(0.1), evaluation(1.0, missed=True, closed=True)],
        "unknown": [evaluation(0.5), evaluation(0.5, closed=True)],
        "quiet": [evaluation(0.1), evaluation(0.0, missed=False, closed=True)],
    }.items():
        states: dict[str, AlarmState] = {}
        for number, e in enumerate(course):
            states, _ = advance(states, [e], policy, START + number * 29 * DAY)
        found[name] = outcome_of(states["a0"], policy)
    assert {k: o and (o.verdict, o.lead_days, o.in_time) for k, o in found.items()} == {
        "true": ("true alarm", 30.0, True),
        "false": ("false alarm", 30.0, True),
        "surprise": ("surprise", None, False),
        "unknown": ("unknown", 30.0, True),
        "quiet": None,
    }


def test_acting_makes_a_treated_window() -> None:
    policy = AlarmPolicy(raise_at=0.35)
    state, _ = step(None, evaluation(0.5), policy, START)
    state, _ = answer(state, AlarmStage.ACTING, by="ada", at=START)
    state, kind = step(state, evaluation(0.1), policy, START + DAY)
    assert kind is NoticeKind.RESOLVED
    state, _ = step(state, evaluation(0.0, missed=False, closed=True), policy, START + 30 * DAY)
    outcome = outcome_of(state, policy)
    assert outcome is not None
    assert (outcome.verdict, outcome.treated) == ("false alarm", True)


@pytest.mark.parametrize(
    ("stage", "by", "until", "argument"),
    [
        (AlarmStage.NEW, "ada", None, "answer"),
        (AlarmStage.ACTING, " ", None, "by"),
        (AlarmStage.SNOOZED, "ada", None, "until"),
        (AlarmStage.SNOOZED, "ada", START, "until"),
        (AlarmStage.ACKNOWLEDGED, "ada", START + DAY, "until"),
    ],
)
def test_an_answer_that_is_not_complete_is_refused(
    stage: AlarmStage, by: str, until: datetime | None, argument: str
) -> None:
    state, _ = step(None, evaluation(0.5), AlarmPolicy(raise_at=0.35), START)
    with pytest.raises(InputError) as refused:
        answer(state, stage, by=by, at=START, until=until)
    assert refused.value.argument == argument


@pytest.mark.parametrize(
    ("action", "breach", "effect", "level"),
    [
        (2000.0, 10_000.0, 0.5, 0.4),
        (0.0, 1.0, 1.0, 0.2),
        (9.0, 10.0, 1.0, 0.8),
        (1.0, 0.0, 1.0, None),
        (1.0, 1.0, 0.0, None),
    ],
)
def test_the_level_from_costs(action: float, breach: float, effect: float, level: float | None) -> None:
    assert raise_level(action, breach, effect) == level


@pytest.mark.parametrize("wrong", [{"raise_at": 0.0}, {"raise_at": 1.1}, {"consecutive": 0}, {"clear_share": 0.0},
                                   {"lowest": 0.9}, {"required_lead_days": -1.0}])  # fmt: skip
def test_a_policy_that_cannot_be_meant_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        replace(AlarmPolicy(raise_at=0.35), **wrong)  # type: ignore[arg-type]


def test_a_notice_without_anything_to_tell_is_refused() -> None:
    bare = replace(evaluation(0.5), warning=None)
    assert step(None, bare, AlarmPolicy(raise_at=0.35), START)[1] is NoticeKind.RAISED
    with pytest.raises(InputError, match="warning"):
        advance({}, [bare], AlarmPolicy(raise_at=0.35), START)

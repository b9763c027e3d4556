"""Alarms in the ledger: their states, people's answers, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from forecasting.adapters._fields import nearest
from forecasting.adapters._typed import typed
from forecasting.ports import Ledger, Outbox
from forecasting.terms.alarm import AlarmOutcome, AlarmPolicy, AlarmStage, AlarmState
from forecasting.terms.errors import InputError, LedgerMovedError
from forecasting.terms.notice import Notice
from forecasting.terms.settings import Settings
from forecasting.workspace.records import as_row

if TYPE_CHECKING:
    from forecasting.workspace.workspace import Workspace

_MOST_DECISIONS = 100
"""How often an answer is decided anew while `watch` evaluates the same alarm."""


def policy_of(
    settings: Settings, *, consecutive: int = 1, by_cost: bool = False, clear_share: float | None = None
) -> AlarmPolicy:
    """Return the alarm policy that settings ask for; what is not said is as in `AlarmPolicy`.

    Examples
    --------
    >>> policy_of(Settings()).raise_at
    0.35
    """
    policy = AlarmPolicy(
        raise_at=settings.warn_at,
        consecutive=consecutive,
        required_lead_days=settings.required_lead_days,
        by_cost=by_cost,
    )
    return policy if clear_share is None else replace(policy, clear_share=clear_share)


def outbox_of(workspace: Workspace) -> Outbox:
    """Return the outbox of a workspace.

    Raises
    ------
    InputError
        For a workspace opened as it stood at a past run.
    """
    if workspace.outbox is None:
        raise InputError(
            argument="workspace", came="a past run", allowed="a workspace as it stands now",
            try_instead="Workspace(path) without past",
        )  # fmt: skip
    return workspace.outbox


def alarm_states(ledger: Ledger, *, as_of: datetime | None = None, until: int | None = None) -> dict[str, AlarmState]:
    """Return the latest state of every alarm by its identity; of rows as in `Ledger.entries`."""
    return {entry.key: typed(AlarmState, entry.payload) for entry in ledger.newest("alarm", as_of=as_of, until=until)}


def alarm_outcomes(ledger: Ledger) -> tuple[AlarmOutcome, ...]:
    """Return what came of every alarm whose window is over, in the order in which they were first recorded."""
    return tuple(typed(AlarmOutcome, entry.payload) for entry in ledger.newest("alarm_outcome"))


def probability_before(state: AlarmState, as_of: datetime) -> float | None:
    """Return P(miss) at the last evaluation before a cut-off; None where there was none."""
    return state.probability if as_of > state.at else state.probability_before


def alarm_rows(
    before: Mapping[str, AlarmState],
    after: Mapping[str, AlarmState],
    policy: AlarmPolicy,
    outcomes: Sequence[AlarmOutcome] = (),
) -> list[tuple[str, str, Mapping[str, object]]]:
    """Return the ledger rows (kind, key, payload) of what changed from one set of states to the next.

    A window of which nobody was told and that says nothing any more is not kept.
    """
    from forecasting.early_warning.alarms import outcome_of

    known = {o.id: o for o in outcomes}
    rows: list[tuple[str, str, Mapping[str, object]]] = []
    for key, state in after.items():
        if state == before.get(key) or (key not in before and state.stage is AlarmStage.WATCHED and not state.above):
            continue
        rows.append(("alarm", key, as_row(state)))
        outcome = outcome_of(state, policy)
        if outcome is not None and outcome != known.get(key):
            rows.append(("alarm_outcome", key, as_row(outcome)))
    return rows


def letters_of(workspace: Workspace, notices: Sequence[Notice]) -> list[tuple[str, Notice]]:
    """Return every notice for every receiver of the project; what is not urgent enough for one, that one lets pass."""
    from forecasting.adapters.notifiers import build_notifiers

    receivers = build_notifiers(workspace.project, workspace.root) if notices else ()
    return [(receiver.name, notice) for notice in notices for receiver in receivers]


def answer_alarm(
    workspace: Workspace,
    which: str,
    stage: AlarmStage,
    *,
    by: str,
    until: datetime | None = None,
    note: str = "",
) -> AlarmState:
    """Record what a person says of a warning that stands, and return its state.

    Parameters
    ----------
    workspace : Workspace
    which : str
        Identity of the warning; the first digits suffice where they are unique.
    stage : AlarmStage
        Acknowledged, acting, snoozed or false.
    by : str
        Who says so.
    until : datetime or None
        Snoozed: until when, a cut-off.
    note : str
        Why.

    Raises
    ------
    InputError
        For an unknown warning, one that does not stand, or an answer that is not complete.
    """
    from forecasting.early_warning.alarms import answer

    outbox = outbox_of(workspace)
    for _ in range(_MOST_DECISIONS):
        head = workspace.ledger.head()[0]
        state = find_alarm(alarm_states(workspace.ledger, until=head), which)
        after, notices = answer(state, stage, by=by, at=workspace.clock.now(), until=until, note=note)
        try:
            outbox.keep(
                [("alarm", after.id, as_row(after))],
                letters_of(workspace, notices),
                as_of=state.at,
                run_id="answer",
                decided_at=head,
            )
            return after
        except LedgerMovedError as error:
            moved = error
    raise moved


def find_alarm(states: Mapping[str, AlarmState], which: str) -> AlarmState:
    """Return the alarm whose identity begins with `which`.

    Raises
    ------
    InputError
        Where there is none, or more than one.
    """
    found = [state for key, state in states.items() if key.startswith(which)] if which else []
    if len(found) != 1:
        raise InputError(
            argument="id",
            came=which,
            allowed="one warning of the ledger" + (f", not {len(found)}" if found else ""),
            try_instead=nearest(which, sorted(states)) or "forecasting warning list",
        )
    return found[0]

"""How often a workspace's statements on breaches were right, and what an alarm policy would have made of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from forecasting.terms.alarm import AlarmPolicy
from forecasting.terms.errors import Excuse
from forecasting.terms.track_record import PolicyReplay, Statement

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.workflows.replay import Record
    from forecasting.workspace.workspace import Workspace


def quiet(stage: str) -> None:
    """Show no progress."""


def score_risk(
    space: Workspace,
    as_of: str | date | datetime | None = None,
    *,
    services: Sequence[str] | None = None,
    elapsed: Sequence[float] | None = None,
    ahead: int | None = None,
    progress: Callable[[str], None] = quiet,
) -> Record:
    """Replay the past of a workspace by the full protocol and score it (`docs/score-risk.md`).

    Parameters
    ----------
    space : Workspace
        Its settings say how many paths a statement has (`replay_paths`), the seed, and when a warning is raised.
    as_of : str, date, datetime or None
        Cut-off; only windows closed by then are stated.
    services : sequence of str or None
        Services whose statements are made; None takes all. What is learnt is learnt from all of them.
    elapsed : sequence of float or None
        Elapsed shares of a window, 0 to below 1; None takes 0, .1, .25, .5, .75 and .9.
    ahead : int or None
        Windows ahead that are stated at a window's first instant; None takes 4.
    progress : callable
        Told of each decision time.

    Raises
    ------
    InputError
        For an unknown service, a share outside 0 to 1, or where nothing was ingested.
    """
    from dataclasses import replace

    from forecasting.workflows.replay import FULL, track_record

    protocol = FULL
    if elapsed is not None:
        protocol = replace(protocol, elapsed=tuple(sorted(set(elapsed))))
    if ahead is not None:
        protocol = replace(protocol, ahead=ahead)
    progress("reading")
    chosen = _known(space, services)
    prepared = space.prepare(as_of)
    treated = treated_windows(space, prepared.as_of)
    return track_record(prepared, protocol=protocol, services=chosen, treated=treated, progress=progress)


def replay_alarms(
    space: Workspace,
    as_of: str | date | datetime | None,
    policy: AlarmPolicy,
    *,
    services: Sequence[str] | None = None,
    levels: Mapping[tuple[str, str, str], float] | None = None,
    progress: Callable[[str], None] = quiet,
) -> PolicyReplay | Excuse:
    """Try an alarm policy on the workspace's past before it is switched on.

    Parameters
    ----------
    space : Workspace
    as_of : str, date, datetime or None
        Cut-off; only windows closed by then are stated.
    policy : AlarmPolicy
    services : sequence of str or None
    levels : mapping of (service, agreement or empty, objective) to float, optional
        Level of each promise from its costs, where the policy asks for it; the others get the policy's own.
    progress : callable

    Returns
    -------
    PolicyReplay or Excuse
        An excuse where no window could be stated again.
    """
    from forecasting.early_warning.score import replay_policy
    from forecasting.workflows.replay import FULL, replay

    progress("reading")
    chosen = _known(space, services)
    prepared = space.prepare(as_of)
    statements = replay(
        prepared.promises,
        prepared.catalogue,
        as_of=prepared.as_of,
        settings=prepared.settings,
        protocol=FULL,
        services=chosen,
        treated=treated_windows(space, prepared.as_of),
        progress=progress,
    )
    if not statements:
        return Excuse(
            reason="no closed window could be stated again with the data before it",
            what_would_help="a longer history: the first third of the windows, and 90 days, only calibrate",
        )
    progress("policy")
    return replay_policy(statements, policy, levels=levels, protocol=FULL.words())


def levels_of(
    space: Workspace,
    as_of: str | date | datetime | None,
    policy: AlarmPolicy,
    *,
    progress: Callable[[str], None] = quiet,
) -> dict[tuple[str, str, str], float]:
    """Return the level of each promise from the costs that a plan of the cut-off states; nothing is written.

    Costs, capacity and agreements are those of now: the past did not record what an action would have cost then.

    Parameters
    ----------
    space : Workspace
    as_of : str, date, datetime or None
    policy : AlarmPolicy
        Its bounds.
    progress : callable

    Returns
    -------
    dict of (service, agreement or empty, objective) to float
        For `replay_alarms`; promises without known costs are left out.
    """
    from forecasting.early_warning.levels import cost_levels

    plan = space.compute(as_of, depth="proposals", progress=progress)
    return cost_levels(plan.services, plan.proposals, policy)


def treated_windows(space: Workspace, as_of: datetime) -> frozenset[tuple[str, str, str, str]]:
    """Return the windows of which the ledger says that somebody acted upon a warning.

    Each is (service, agreement or empty, objective, label of the window).
    """
    from forecasting.workspace.alarms import alarm_states

    states = alarm_states(space.ledger, as_of=as_of, until=space.position()[1]).values()
    return frozenset((s.service, s.agreement or "", s.objective, s.period.label) for s in states if s.acted)


def statement_frame(statements: Iterable[Statement]) -> pd.DataFrame:
    """Return statements as a frame: what was stated, what every baseline and candidate said, what came of it.

    Columns: service, agreement, objective, tier, kind, period, start, end, at, elapsed, ahead, probability,
    ``p_<name>`` of each baseline and candidate, decided, treated, breached, expected_cost, currency.
    """
    import pandas as pd

    rows = [
        {
            "service": s.service,
            "agreement": s.agreement or "",
            "objective": s.objective,
            "tier": s.tier,
            "kind": s.kind,
            "period": s.period.label,
            "start": s.period.start,
            "end": s.period.end,
            "at": s.at,
            "elapsed": max(0.0, s.elapsed),
            "ahead": s.ahead,
            "probability": s.probability,
            **{f"p_{name.replace(' ', '_')}": p for name, p in (*s.candidates, *s.baselines)},
            "decided": s.decided,
            "treated": s.treated,
            "breached": s.breached,
            "expected_cost": s.expected_cost,
            "currency": s.currency,
        }
        for s in statements
    ]
    return pd.DataFrame(rows)


def _known(space: Workspace, services: Sequence[str] | None) -> Collection[str] | None:
    """Return the services asked for; one that is not in the catalogue is refused."""
    from forecasting.workspace.workspace import unknown

    if services is None:
        return None
    for name in services:
        if name not in space.catalogue.services:
            raise unknown("service", name, sorted(space.catalogue.services))
    return frozenset(services)

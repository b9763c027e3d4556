"""What `forecasting watch --replay` prints: an alarm policy tried on the past before it is switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from forecasting.cli._output import print_json, say, stages

if TYPE_CHECKING:
    from forecasting.terms.alarm import AlarmPolicy
    from forecasting.workspace import Workspace

_REPLAYED = 150
"""Stages shown."""


def replay_policy(space: Workspace, as_of: str | None, policy: AlarmPolicy, *, rows: int, as_json: bool) -> None:
    """Show what a policy would have told in the past; exit code 3 where the history is too short."""
    from forecasting.adapters._plain import plain
    from forecasting.cli.scoring import policy_replay_document, show_policy_replay
    from forecasting.terms.errors import Excuse
    from forecasting.workspace.scoring import levels_of, replay_alarms

    with stages(_REPLAYED) as advance:
        levels = levels_of(space, as_of, policy, progress=advance) if policy.by_cost else None
        found = replay_alarms(space, as_of, policy, levels=levels, progress=advance)
    if isinstance(found, Excuse):
        if as_json:
            print_json("watch --replay", {"policy": plain(policy), "replay": None, "excuse": plain(found)})
        else:
            say(f"nothing replayed: {found.reason}; what would help: {found.what_would_help}")
        raise typer.Exit(3)
    if as_json:
        document = {"policy": plain(policy), "replay": policy_replay_document(found), "excuse": None}
        print_json("watch --replay", document)
        return
    say(_in_words(policy, levels))
    show_policy_replay(found, rows=rows)


def _in_words(policy: AlarmPolicy, levels: dict[tuple[str, str, str], float] | None) -> str:
    """Say what was tried."""
    level = f"raised at P(miss) {policy.raise_at:.2f}"
    if levels is not None:
        costs = f"{len(levels)} promises" if len(levels) != 1 else "1 promise"
        level = f"raised where acting pays ({costs} with known costs; elsewhere at P(miss) {policy.raise_at:.2f})"
    several = "" if policy.consecutive == 1 else f" in {policy.consecutive} evaluations in a row"
    cleared = f"cleared below {policy.clear_share:g} of the level"
    return f"Policy: {level}{several}, {cleared}. Nobody is told, nothing is written."

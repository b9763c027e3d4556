"""The register as plain values, as a table, and as files that stay inside the workspace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting.adapters._atomic import write_atomic
from forecasting.adapters._plain import plain
from forecasting.adapters.sinks.csv_frames import safe_csv
from forecasting.adapters.sinks.ticket_markdown import TicketFolder
from forecasting.terms.errors import InputError
from forecasting.terms.register import RegisterRow

if TYPE_CHECKING:
    import pandas as pd


def register_document(rows: Sequence[RegisterRow]) -> list[dict[str, object]]:
    """Return the register as plain values, one object a proposal, with everything that is known of it."""
    found = []
    for row in rows:
        e = row.entry
        entry = plain(e)
        assert isinstance(entry, dict), "a dataclass becomes a mapping"
        head = {"id": e.id, "state": e.state.value, "late": row.late, "changed": row.changed}
        seen = {"last_raised": plain(row.last_raised), "raised_last": row.raised_last}
        found.append(entry | head | seen | {"chosen": e.chosen.label})
    return found


def register_frame(rows: Sequence[RegisterRow]) -> pd.DataFrame:
    """Return the register as a frame, one row a proposal."""
    import pandas as pd

    names = (
        "id", "state", "round", "title", "service", "agreement", "objective", "resource", "window", "probability_now",
        "recommended", "chosen", "cost", "benefit", "currency", "not_deciding_costs", "decide_by", "decision",
        "decided_by", "decided_at", "why", "owner", "due", "late", "success_measure", "started_on", "implemented_on",
        "actual_cost", "windows_judged", "windows_missed", "credits_and_losses", "benefit_realised", "regret", "note",
    )  # fmt: skip
    return pd.DataFrame([_cells(row) for row in rows], columns=list(names))


def _cells(row: RegisterRow) -> tuple[object, ...]:
    e, p = row.entry, row.entry.proposal
    d, o = p.decision, p.outcome
    return (
        e.id, e.state.value, e.round, p.title, p.service, p.agreement, p.objective, p.resource,
        p.period.label if p.period else None, p.probability_now, p.recommendation.label, e.chosen.label,
        e.chosen.cost_over_horizon, e.chosen.benefit_mean, p.currency, p.loss_if_not_decided, plain(p.decide_by),
        d.state.value if d else None, d.by if d else None, plain(d.at) if d else None, d.why if d else None, p.owner,
        plain(p.due), row.late, p.success_measure, plain(e.started_on), plain(e.implemented_on), e.actual_cost,
        o.windows if o else None, o.missed if o else None, o.credits_and_losses if o else None,
        o.benefit_realised if o else None, o.regret if o else None, o.note if o else None,
    )  # fmt: skip


def write_register(root: Path, rows: Sequence[RegisterRow], *, csv: Path | None, tickets: Path | None) -> list[str]:
    """Write the register as a CSV file, tickets, or both; return the files.

    Parameters
    ----------
    root : Path
        The workspace; nothing is written outside of it.
    rows : sequence of RegisterRow
    csv, tickets : Path or None
        A file, and a folder, relative to the workspace.

    Raises
    ------
    InputError
        For a path that leads out of the workspace, or into its stores.
    """
    files = []
    if csv is not None:
        place = inside(root, csv)
        files.append(str(write_atomic(place.parent, place.name, safe_csv(register_frame(rows)))))
    if tickets is not None:
        folder = inside(root, tickets)
        files += [str(path) for path in TicketFolder(folder).write([row.entry for row in rows])]
    return files


def write_proposals(root: Path, folder: str, rows: Sequence[RegisterRow]) -> list[str]:
    """Write proposals as JSON, CSV and tickets into a folder below ``reports/proposals``; return the files."""
    place = inside(root, Path("reports") / "proposals" / folder)
    document = json.dumps(register_document(rows), sort_keys=True, allow_nan=False, ensure_ascii=False, indent=1)
    files = [str(write_atomic(place, "proposals.json", document + "\n"))]
    files.append(str(write_atomic(place, "proposals.csv", safe_csv(register_frame(rows)))))
    return [*files, *(str(path) for path in TicketFolder(place).write([row.entry for row in rows]))]


def inside(root: Path, path: Path) -> Path:
    """Return a path below the workspace.

    Raises
    ------
    InputError
        Where it leads out of it (also by a link), or into the folder of its stores.

    Examples
    --------
    >>> inside(Path("w"), Path("../elsewhere.csv"))
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.InputError: path: got '../elsewhere.csv'; allowed: a path inside the workspace; ...
    """
    base = root.resolve()
    found = (base / path).resolve()
    if not found.is_relative_to(base) or found == base or found.relative_to(base).parts[0] == ".forecasting":
        raise InputError(
            argument="path",
            came=str(path),
            allowed="a path inside the workspace",
            try_instead="reports/register.csv, which is taken as relative to the workspace",
        )
    return found

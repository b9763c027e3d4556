"""Commands that read the ledger: runs, versions, restatements, and a past report made again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli._options import AsOfOption, FailOption, JsonOption, RowsOption, WorkspaceOption, open_workspace
from forecasting.cli._output import exit_if, more_rows, print_json, say, show_table, stages

if TYPE_CHECKING:
    from datetime import datetime

    from forecasting.ports import LedgerEntry
    from forecasting.workspace import Workspace

app = typer.Typer(help="What was computed and said, and from what: append-only, versioned, hash-chained.")


@app.command()
def runs(workspace: WorkspaceOption = Path("."), rows: RowsOption = 60, as_json: JsonOption = False) -> None:
    """List the runs that made a report, latest first."""
    import pandas as pd

    from forecasting.adapters._plain import plain
    from forecasting.workspace.runs import run_records

    found = run_records(open_workspace(workspace))[::-1]
    if as_json:
        print_json("ledger runs", [plain(run) for run in found])
        return
    if not found:
        say(f"no report was made yet: forecasting plan -w {workspace}")
        return
    frame = pd.DataFrame(
        [(r.run_id, _instant(r.as_of), r.code_version, r.catalogue_version[:12], r.data_version[:12], r.seed,
          r.batch, len(r.files)) for r in found],
        columns=["run", "as_of", "code", "catalogue", "data", "seed", "batch", "files"],
    )  # fmt: skip
    columns = dict.fromkeys(frame.columns, "key") | {"code": "text"}
    show_table("Runs, latest first", frame, columns, rows=rows)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="Key of a row, or the beginning of one: service/agreement/objective/…")],
    kind: Annotated[str, typer.Option("--kind", help="attainment, credit, risk, proposal, warning, run …")] = (
        "attainment"
    ),
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    rows: RowsOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Show every version of what was recorded, oldest first; with --as-of what was said with data up to then."""
    from forecasting.adapters._fields import nearest
    from forecasting.adapters._plain import plain
    from forecasting.terms.errors import InputError

    space = open_workspace(workspace)
    _known_kind(space, kind)
    recorded = space.ledger.entries(kind, as_of=None if as_of is None else space.instant(as_of))
    found = [e for e in recorded if e.key.startswith(key)]
    if not found:
        raise InputError(
            argument="key",
            came=key,
            allowed=f"the beginning of a recorded key of kind {kind}",
            try_instead=nearest(key, sorted({e.key for e in recorded}))
            or f"forecasting ledger export --kind {kind}, which lists them",
        )
    if as_json:
        print_json("ledger show", [plain(entry) for entry in found])
    elif kind == "attainment":
        _show_attainments(key, found, rows=rows)
    else:
        for entry in found[:rows]:
            say(f"{entry.key}, version {entry.version}, as of {_instant(entry.as_of)}, run {entry.run_id}")
            for name, value in sorted(entry.payload.items()):
                say(f"  {name}: {value if isinstance(value, str) else json.dumps(value, sort_keys=True)}")
        more_rows(len(found), rows)


def _known_kind(space: Workspace, kind: str) -> None:
    """Refuse a kind that no run records and that the ledger does not have."""
    from forecasting.adapters._fields import nearest
    from forecasting.terms.errors import InputError
    from forecasting.workspace.records import KINDS

    if kind not in KINDS and not space.ledger.entries(kind):
        raise InputError(
            argument="kind", came=kind, allowed=", ".join(KINDS), try_instead=nearest(kind, KINDS) or "attainment"
        )


def _show_attainments(key: str, found: Sequence[LedgerEntry], *, rows: int) -> None:
    """Show versions of attainments as a table; a reason only where one was given."""
    import pandas as pd

    frame = pd.DataFrame(
        [(e.key, e.version, _instant(e.as_of), _share(e.payload.get("value")), e.payload.get("status"),
          e.payload.get("stage"), e.payload.get("coverage"), e.payload.get("reason") or None) for e in found],
        columns=["key", "version", "as_of", "value", "status", "stage", "slices", "reason"],
    )  # fmt: skip
    columns = {"version": "key", "as_of": "key", "value": "share", "status": "key", "stage": "key", "slices": "key"}
    one = len(set(frame["key"])) == 1
    if not one:
        columns = {"key": "text", **columns}
    if frame["reason"].notna().any():
        columns["reason"] = "text"
    show_table(f"Recorded under {found[0].key if one else key}", frame, columns, rows=rows)
    say("value: at least this; slices: known/elapsed; --json has all digits")


def _instant(at: datetime) -> str:
    """Return an instant to the minute, in UTC; with seconds where it has some."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%MZ}" if not (utc.second or utc.microsecond) else utc.isoformat()


@app.command()
def restatements(
    workspace: WorkspaceOption = Path("."),
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """List final attainments that were replaced, with the reason; exit code 1 on request where a verdict turned."""
    import pandas as pd

    from forecasting.adapters._plain import plain
    from forecasting.workspace.records import known_restatements

    found = known_restatements(open_workspace(workspace).ledger.entries("attainment"))
    if as_json:
        print_json("ledger restatements", [plain(r) for r in found])
    elif not found:
        say("no final attainment was ever replaced")
    else:
        frame = pd.DataFrame(
            [(r.service, r.objective, r.period, r.version, _share(r.value_before), _share(r.value_after),
              f"{r.status_before} → {r.status_after}" if r.turned else f"still {r.status_after}", r.reason)
             for r in found],
            columns=["service", "objective", "period", "version", "before", "after", "verdict", "reason"],
        )  # fmt: skip
        columns = {"objective": "text", "period": "key", "version": "key", "before": "share", "after": "share",
                   "verdict": "key", "reason": "text"}  # fmt: skip
        show_table("Restatements, oldest first; the values before stay in the ledger", frame, columns, rows=rows)
    exit_if(fail and any(r.turned for r in found))


def _share(value: object) -> object:
    """Return a recorded share as an exact number; None where there is none."""
    from decimal import Decimal

    return None if value is None else Decimal(str(value))


@app.command()
def verify(workspace: WorkspaceOption = Path("."), as_json: JsonOption = False) -> None:
    """Check the hash chain of the ledger and every batch of the metric store; exit code 1 where something changed."""
    space = open_workspace(workspace)
    with stages(2) as advance:
        advance("ledger")
        ledger = tuple(space.ledger.verify())
        advance("metric store")
        metrics = tuple(space.metrics.verify())
    sequence, digest = space.ledger.head()
    if as_json:
        head = {"sequence": sequence, "sha256": digest}
        print_json("ledger verify", {"ledger": list(ledger), "metrics": list(metrics), "head": head})
    else:
        for name, damages in (("ledger", ledger), ("metric store", metrics)):
            say(f"{name}: " + ("whole" if not damages else f"damaged in {len(damages)} places"))
            for damage in damages:
                say(f"  {damage}")
        say(f"head: row {sequence}, sha256 {digest}")
        if sequence:
            say("keep the head elsewhere (a ticket, a mail): it proves later that nothing before it was changed")
    exit_if(bool(ledger or metrics))


@app.command()
def export(
    kind: Annotated[str | None, typer.Option("--kind", help="Only rows of this kind.")] = None,
    workspace: WorkspaceOption = Path("."),
) -> None:
    """Print the rows with their hashes as JSON lines, for an auditor."""
    from forecasting.workspace.runs import export_rows

    space = open_workspace(workspace)
    if kind is not None:
        _known_kind(space, kind)
    print(export_rows(space.ledger.entries(kind)), end="")  # noqa: T201


@app.command()
def reproduce(
    run: Annotated[str, typer.Argument(help="Run id, or its first digits (forecasting ledger runs).")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the files.")],
    workspace: WorkspaceOption = Path("."),
    force: Annotated[bool, typer.Option("--force", help="Also with other versions of code or libraries.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a past report again from its manifest and compare every file; exit code 1 where a byte differs."""
    from forecasting.adapters._plain import plain
    from forecasting.workspace.runs import reproduce as again

    space = open_workspace(workspace)
    with stages(1) as advance:
        advance("computing again")
        found = again(space, run, out, force=force)
    if as_json:
        print_json("ledger reproduce", {**_plain(plain(found)), "same": found.same})
    else:
        for name in found.different:
            say(f"differs: {name}")
        say(f"{len(found.equal)} of {len(found.equal) + len(found.different)} files have the same bytes as then")
        say(found.folder)
    exit_if(not found.same)


def _plain(found: object) -> dict[str, object]:
    assert isinstance(found, dict), "a dataclass becomes a mapping"
    return found

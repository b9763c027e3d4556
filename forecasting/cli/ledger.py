"""Commands that read the ledger: runs, versions, restatements, and a past report made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecasting.cli._options import FailOption, JsonOption, RowsOption, WorkspaceOption, open_workspace
from forecasting.cli._output import exit_if, print_json, say, show_table, stages

app = typer.Typer(help="What was computed and said, and from what: append-only, versioned, hash-chained.")


@app.command()
def runs(workspace: WorkspaceOption = Path("."), rows: RowsOption = 60, as_json: JsonOption = False) -> None:
    """List the runs, latest first."""
    import pandas as pd

    from forecasting.adapters._plain import plain
    from forecasting.workspace.runs import run_records

    found = run_records(open_workspace(workspace))[::-1]
    if as_json:
        print_json("ledger runs", [plain(run) for run in found])
        return
    frame = pd.DataFrame(
        [(r.run_id, r.as_of.isoformat(), r.code_version, r.catalogue_version[:12], r.data_version[:12], r.seed,
          r.batch, len(r.files)) for r in found],
        columns=["run", "as_of", "code", "catalogue", "data", "seed", "batch", "files"],
    )  # fmt: skip
    columns = dict.fromkeys(("run", "as_of", "code", "catalogue", "data"), "key")
    show_table("Runs, latest first", frame, columns | dict.fromkeys(("seed", "batch", "files"), "text"), rows=rows)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="Key of a row, or the beginning of one: service/agreement/objective/…")],
    kind: Annotated[str, typer.Option("--kind", help="attainment, credit, risk, proposal, warning, run …")] = (
        "attainment"
    ),
    workspace: WorkspaceOption = Path("."),
    rows: RowsOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Show every version of what was recorded, oldest first."""
    import json

    import pandas as pd

    from forecasting.adapters._plain import plain
    from forecasting.terms.errors import InputError

    found = [e for e in open_workspace(workspace).ledger.entries(kind) if e.key.startswith(key)]
    if not found:
        raise InputError(
            argument="key",
            came=f"{key} (kind {kind})",
            allowed="the beginning of a recorded key",
            try_instead="forecasting ledger export --kind attainment, which lists them",
        )
    if as_json:
        print_json("ledger show", [plain(entry) for entry in found])
        return
    table: list[tuple[object, ...]]
    if kind == "attainment":
        table = [
            (e.key, e.version, e.as_of.isoformat(), e.payload.get("value"), e.payload.get("status"),
             e.payload.get("stage"), e.payload.get("coverage"), e.payload.get("reason"))
            for e in found
        ]  # fmt: skip
        names = ["key", "version", "as_of", "value", "status", "stage", "coverage", "reason"]
    else:
        table = [(e.key, e.version, e.as_of.isoformat(), json.dumps(e.payload, sort_keys=True)[:400]) for e in found]
        names = ["key", "version", "as_of", "payload"]
    show_table(f"Recorded under {key}", pd.DataFrame(table, columns=names), dict.fromkeys(names, "text"), rows=rows)


@app.command()
def restatements(
    workspace: WorkspaceOption = Path("."),
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """List final attainments that were replaced, with the reason; the old values are kept."""
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
              f"{r.status_before} → {r.status_after}", r.reason) for r in found],
            columns=["service", "objective", "period", "version", "before", "after", "verdict", "reason"],
        )  # fmt: skip
        columns = dict.fromkeys(frame.columns, "text") | {"before": "share", "after": "share", "verdict": "key"}
        show_table("Restatements, oldest first", frame, columns, rows=rows)
    exit_if(fail and any(r.turned for r in found))


def _share(value: object) -> float | None:
    return None if value is None else float(str(value))


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
            say(f"{name}: " + ("whole" if not damages else f"{len(damages)} damages"))
            for damage in damages:
                say(f"  {damage}")
        say(f"head: row {sequence}, sha256 {digest}")
        say("keep the head elsewhere (a ticket, a mail): it proves later that nothing before it was changed")
    exit_if(bool(ledger or metrics))


@app.command()
def export(
    kind: Annotated[str | None, typer.Option("--kind", help="Only rows of this kind.")] = None,
    workspace: WorkspaceOption = Path("."),
) -> None:
    """Print the rows with their hashes as JSON lines, for an auditor."""
    from forecasting.workspace.runs import export_rows

    print(export_rows(open_workspace(workspace).ledger.entries(kind)), end="")  # noqa: T201


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

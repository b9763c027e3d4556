"""Commands on the catalogue: check it, read it in plain words, export it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli._options import AsOfOption, FailOption, JsonOption, WorkspaceOption, open_workspace
from forecasting.cli._output import exit_if, inert, print_json, say, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecasting.terms.agreement import Agreement
    from forecasting.terms.audit import CatalogueFinding
    from forecasting.terms.catalogue import Catalogue

app = typer.Typer(help="What was promised: check the documents, read them in plain words, export them.")

DocumentsOption = Annotated[
    Path | None,
    typer.Option("--documents", "-d", help="A folder or file of OpenSLO documents instead of a workspace."),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="OpenSLO by the reference rules alone; else warnings where it can be read.")
]


@app.command()
def check(
    workspace: WorkspaceOption = Path("."),
    documents: DocumentsOption = None,
    strict: StrictOption = False,
    as_of: AsOfOption = None,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check every document, and audit the promises: what cannot be kept or judged as it stands."""
    from forecasting.adapters._plain import plain

    catalogue, findings = _checked(workspace, documents, as_of, strict=strict)
    counts = _counts(catalogue)
    if as_json:
        data = {
            "counts": counts,
            "version": catalogue.version,
            "notices": [plain(n) for n in catalogue.notices],
            "findings": [plain(f) for f in findings],
        }
        print_json("catalogue check", data)
    else:
        found = [f"{count} {_ONE.get(what, what) if count == 1 else what}" for what, count in counts.items() if count]
        say(f"{catalogue.name}: " + (", ".join(found) or "nothing in it"))
        for n in catalogue.notices:
            where = f"{n.file}:{n.line}" if n.line else n.file
            typer.echo(f"{typer.style('note', fg='cyan')} {inert(f'{where}: {n.rule}: {n.message}')}")
        for f in findings:
            mark = typer.style("GAP ", fg="red", bold=True) if f.severity == "gap" else typer.style("hint", fg="yellow")
            typer.echo(f"{mark} {inert(f'{f.subject}: {f.message} ({f.evidence}) → {f.try_instead} [{f.rule}]')}")
        gaps = sum(f.severity == "gap" for f in findings)
        hints = len(findings) - gaps
        say(", ".join((_count(gaps, "gap"), _count(hints, "hint"), _count(len(catalogue.notices), "note"))))
    exit_if(fail and any(f.severity == "gap" for f in findings))


def _checked(
    workspace: Path, documents: Path | None, as_of: str | None, *, strict: bool
) -> tuple[Catalogue, tuple[CatalogueFinding, ...]]:
    """Return the catalogue and what its audit found; documents alone have no data, so only their text is audited."""
    from forecasting.workspace.documents import audit_documents, load_documents

    if documents is not None:
        catalogue = load_documents(documents, strict=strict)
        return catalogue, audit_documents(catalogue, as_of)
    space = open_workspace(workspace, strict=strict, notices=False)
    return space.catalogue, space.audit(as_of)


_ONE = {
    "services": "service",
    "objectives outside agreements": "objective outside agreements",
    "agreements": "agreement",
    "agreed objectives": "agreed objective",
    "resources": "resource",
    "demand drivers": "demand driver",
    "covariates": "covariate",
    "customers": "customer",
    "calendars": "calendar",
    "scenarios": "scenario",
    "alert policies": "alert policy",
    "notification targets": "notification target",
    "data sources": "data source",
    "outside queries": "outside query",
    "planned events": "planned event",
    "hierarchies": "hierarchy",
    "measures": "measure",
    "horizon drivers": "horizon driver",
}
"""What is counted, where there is one of it."""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _counts(catalogue: Catalogue) -> dict[str, int]:
    return {
        "services": len(catalogue.services),
        "objectives outside agreements": len(catalogue.objectives),
        "agreements": len(catalogue.agreements),
        "agreed objectives": sum(len(a.objectives) for a in catalogue.agreements),
        "resources": len(catalogue.resources),
        "demand drivers": len(catalogue.drivers),
        "covariates": len(catalogue.covariates),
        "customers": len(catalogue.customers),
        "calendars": len(catalogue.calendars),
        "scenarios": len(catalogue.scenarios),
        "alert policies": len(catalogue.alert_policies),
        "notification targets": len(catalogue.notification_targets),
        "data sources": len(catalogue.data_sources),
        "outside queries": len(catalogue.queries),
        "planned events": len(catalogue.events),
        "hierarchies": len(catalogue.hierarchies),
        "measures": len(catalogue.measures),
        "horizon drivers": len(catalogue.horizon_drivers),
    }


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="Agreement, or a service whose agreements are shown.")] = None,
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in plain words what was agreed, with a worked example; without a name list the agreements."""
    from forecasting.service_levels.plain_words import describe_agreement
    from forecasting.terms.errors import InputError

    space = open_workspace(workspace)
    agreements = space.catalogue.agreements
    if name is None:
        _list(agreements, as_json=as_json)
        return
    chosen = [a for a in agreements if name in (a.id, a.service)]
    if not chosen:
        from forecasting.adapters._fields import listed, nearest

        known = sorted({a.id for a in agreements} | {a.service for a in agreements})
        raise InputError(
            argument="name",
            came=name,
            allowed=f"an agreement or a service with one ({listed(known)})",
            try_instead=nearest(name, known) or "forecasting catalogue show",
        )
    today = space.today(as_of)
    texts = {a.id: describe_agreement(a, space.catalogue, today=today) for a in chosen}
    if as_json:
        print_json("catalogue show", {key: list(lines) for key, lines in texts.items()})
        return
    for index, (key, lines) in enumerate(texts.items()):
        if index:
            say("")
        typer.echo(typer.style(inert(key), bold=True))
        for line in lines:
            say(line)


def _list(agreements: Sequence[Agreement], *, as_json: bool) -> None:
    """List the agreements in the order of the catalogue."""
    import pandas as pd

    columns = ["agreement", "kind", "service", "provider", "customer", "valid_from", "valid_until"]
    rows = [
        (a.id, a.kind.value, a.service, a.provider, a.customer, a.valid_from.isoformat(),
         None if a.valid_until is None else a.valid_until.isoformat())
        for a in agreements
    ]  # fmt: skip
    if as_json:
        print_json("catalogue show", [dict(zip(columns, row, strict=True)) for row in rows])
    elif not rows:
        say("the catalogue has no agreement")
    else:
        forms = dict.fromkeys(columns, "text") | dict.fromkeys(("kind", "valid_from", "valid_until"), "key")
        frame = pd.DataFrame(rows, columns=columns)
        show_table("Agreements (forecasting catalogue show NAME)", frame, forms, rows=len(rows))


@app.command()
def export(
    workspace: WorkspaceOption = Path("."),
    documents: DocumentsOption = None,
    ours: Annotated[bool, typer.Option("--all", help="Also what OpenSLO has no kind for, as forecasting/v1.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of the documents, for editors.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")] = None,
) -> None:
    """Print the catalogue as OpenSLO v1 documents, or the JSON Schema of catalogue documents."""
    import json

    from forecasting.adapters._atomic import write_atomic

    if schema:
        from forecasting.adapters.catalogue_schema import catalogue_schema

        text = json.dumps(catalogue_schema(), sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    else:
        from forecasting.adapters.openslo import export_openslo
        from forecasting.workspace.documents import load_documents

        found = load_documents(documents) if documents is not None else open_workspace(workspace).catalogue
        text = export_openslo(found, ours=ours)
    if out is None:
        print(text, end="")  # noqa: T201
    else:
        say(str(write_atomic(out.parent, out.name, text)))

"""Runs in the ledger: what was computed from what, which files it became, and the same again bit for bit."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting.adapters._plain import plain
from forecasting.ports import LedgerEntry
from forecasting.terms.errors import InputError, StoreError
from forecasting.terms.settings import Settings
from forecasting.workspace.records import (
    Pending,
    Row,
    credit_rows,
    latest,
    pending_attainments,
    record_decided,
    record_run,
)
from forecasting.workspace.stores import Past

if TYPE_CHECKING:
    from forecasting.terms.plan import Plan
    from forecasting.workflows.delivered import Delivered
    from forecasting.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as the ledger has it."""

    run_id: str
    recorded: int
    """Sequence number of its row."""
    as_of: datetime
    code_version: str
    catalogue_version: str
    data_version: str
    seed: int
    batch: int
    sequence: int
    """Last row of the ledger that the run read."""
    inputs: Mapping[str, str]
    """sha256 of the project file and each catalogue document, by path."""
    files: Mapping[str, str]
    """sha256 of each report file, by path below the report's folder."""
    settings: Mapping[str, object]
    libraries: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A past run made again."""

    run: RunRecord
    folder: str
    """Where the files are."""
    equal: tuple[str, ...]
    """Files with the same bytes."""
    different: tuple[str, ...]
    """Files with other bytes, or that are missing on one side."""

    @property
    def same(self) -> bool:
        """Whether every file of the run has the same bytes."""
        return bool(self.equal) and not self.different


def pending_of(workspace: Workspace, plan: Plan, *, reason: str = "") -> Pending:
    """Return the attainments of a plan that the ledger does not have yet."""
    entries = workspace.ledger.entries("attainment", until=plan.manifest.sequence)
    return pending_attainments(
        [(o.objective, o.attainments) for o in plan.record],
        recorded=latest(entries),
        metrics=workspace.metrics,
        catalogue=workspace.catalogue,
        batch=plan.manifest.batch,
        catalogue_version=plan.manifest.catalogue_version,
        code_version=plan.manifest.code_version,
        as_of=plan.as_of,
        reason=reason,
    )


def record_plan(workspace: Workspace, plan: Plan, files: Mapping[str, str], *, reason: str) -> int:
    """Append a plan to the ledger: first what it says, then the run with its inputs and files; return the rows added.

    The run comes last: where it is, everything before it is.
    """

    def attainments(sequence: int) -> list[Row]:
        # Against the ledger as it is now, not as it was read: another run may have recorded the same windows meanwhile.
        fresh = replace(plan, manifest=replace(plan.manifest, sequence=sequence))
        return list(pending_of(workspace, fresh, reason=reason).rows)

    ledger, m = workspace.ledger, plan.manifest
    added = record_run(ledger, plan, attainments)
    hashes = file_hashes(files)

    def is_known(sequence: int) -> bool:
        known = latest(ledger.entries("run", key=m.run_id, until=sequence)).get(m.run_id)
        return known is not None and (known.payload.get("files") == hashes or not hashes)

    if is_known(ledger.head()[0]):
        return added
    inputs = workspace.archive.keep(workspace.inputs, as_of=plan.as_of, run_id=m.run_id)
    row: dict[str, object] = {
        "run_id": m.run_id,
        "as_of": plain(m.as_of),
        "code_version": m.code_version,
        "catalogue_version": m.catalogue_version,
        "data_version": m.data_version,
        "seed": m.seed,
        "paths": m.paths,
        "batch": m.batch,
        "sequence": m.sequence,
        "inputs": inputs,
        "files": hashes,
        "settings": plain(workspace.settings),
        "libraries": dict(m.libraries),
    }
    return added + record_decided(
        ledger, "run", lambda sequence: [] if is_known(sequence) else [(m.run_id, row)], as_of=plan.as_of,
        run_id=m.run_id,
    )  # fmt: skip


def record_delivered(workspace: Workspace, found: Sequence[Delivered], *, as_of: datetime, reason: str) -> int:
    """Append the closed windows of what was delivered, without any forecast; return the rows added.

    The identity of the run says what it was computed from: code, catalogue, batch of the store and cut-off.
    """
    from forecasting.workflows.delivered import credits_of
    from forecasting.workspace.workspace import code_version

    batch = workspace.position()[0]
    code, catalogue = code_version(), workspace.catalogue.version
    text = "\x1f".join(("attainment", as_of.isoformat(), code, catalogue, str(batch)))
    run_id = hashlib.sha256(text.encode()).hexdigest()[:16]
    ledger, lines = workspace.ledger, credits_of(found, as_of=as_of)

    def attainments(sequence: int) -> list[Row]:
        pending = pending_attainments(
            [(d.objective, d.attainments) for d in found],
            recorded=latest(ledger.entries("attainment", until=sequence)),
            metrics=workspace.metrics,
            catalogue=workspace.catalogue,
            batch=batch,
            catalogue_version=catalogue,
            code_version=code,
            as_of=as_of,
            reason=reason,
        )
        return list(pending.rows)

    added = record_decided(ledger, "attainment", attainments, as_of=as_of, run_id=run_id)
    return added + record_decided(
        ledger, "credit", lambda sequence: credit_rows(ledger, lines, as_of=as_of, until=sequence), as_of=as_of,
        run_id=run_id,
    )  # fmt: skip


def file_hashes(files: Mapping[str, str]) -> dict[str, str]:
    """Return the sha256 of every report file by its path below the folder of the report; the model log is none."""
    if "html" not in files:
        return {}
    folder = Path(files["html"]).parent
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def run_records(workspace: Workspace) -> tuple[RunRecord, ...]:
    """Return the runs in the ledger, latest version of each, oldest first."""
    found = latest(workspace.ledger.entries("run"))
    return tuple(_run(entry) for entry in sorted(found.values(), key=lambda e: e.sequence))


def _run(entry: LedgerEntry) -> RunRecord:
    payload: Mapping[str, Any] = entry.payload
    libraries = payload.get("libraries", {})
    return RunRecord(
        run_id=entry.key,
        recorded=entry.sequence,
        as_of=entry.as_of,
        code_version=str(payload.get("code_version", "")),
        catalogue_version=str(payload.get("catalogue_version", "")),
        data_version=str(payload.get("data_version", "")),
        seed=int(payload.get("seed", 0)),
        batch=int(payload.get("batch", 0)),
        sequence=int(payload.get("sequence", 0)),
        inputs=dict(payload.get("inputs", {})),
        files=dict(payload.get("files", {})),
        settings=dict(payload.get("settings", {})) if isinstance(payload.get("settings"), Mapping) else {},
        libraries=dict(libraries) if isinstance(libraries, Mapping) else dict(map(tuple, libraries)),
    )


def reproduce(workspace: Workspace, run_id: str, out: Path, *, force: bool = False) -> Reproduction:
    """Make a past report again from its row in the ledger, and compare every file with what was written then.

    Inputs come from the archive, rows from the metric store as it stood after the run's batch, earlier warnings and
    restatements from the ledger as it stood before the run.

    Parameters
    ----------
    workspace : Workspace
    run_id : str
        A run in the ledger; the first digits suffice where they are unique.
    out : Path
        Folder for the files; must not have any yet.
    force : bool
        Compute although the code or a library is of another version than then.

    Raises
    ------
    InputError
        For an unknown run, or one whose code or libraries were of another version.
    StoreError
        Where an archived input is missing or changed.
    """
    from forecasting.workspace.workspace import PROJECT_FILE, Workspace, code_version

    run = find_run(run_records(workspace), run_id)
    if not run.files or not run.inputs:
        raise InputError(
            argument="run",
            came=f"{run.run_id}, which wrote no report",
            allowed="a run of `forecasting plan`",
            try_instead="forecasting ledger runs",
        )
    if not force:
        _refuse_other_versions(run, code_version())
    if out.exists() and any(out.iterdir()):
        raise InputError(argument="out", came=str(out), allowed="an empty or new folder", try_instead="another folder")
    with tempfile.TemporaryDirectory(prefix="forecasting-") as place:
        root = Path(place)
        for name, key in run.inputs.items():
            target = root / name
            if not target.resolve().is_relative_to(root.resolve()):
                raise StoreError(
                    argument="archived input", came=name, allowed="a path inside the workspace",
                    try_instead="forecasting doctor: the ledger is damaged",
                )  # fmt: skip
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(workspace.archive.get(key))
        past = Past(metrics=workspace.metrics, ledger=workspace.ledger, batch=run.batch, sequence=run.sequence)
        again = Workspace(root, mlflow=False, settings=_settings(run), past=past)
        assert (root / PROJECT_FILE).is_file(), "the project file is among the inputs"
        plan = again.compute(run.as_of, depth="full")
        hashes = file_hashes(written := again.write(plan))
        out.mkdir(parents=True, exist_ok=True)
        shutil.copytree(Path(written["html"]).parent, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lock"))
    names = sorted(set(hashes) | set(run.files))
    return Reproduction(
        run=run,
        folder=str(out),
        equal=tuple(n for n in names if hashes.get(n) == run.files.get(n)),
        different=tuple(n for n in names if hashes.get(n) != run.files.get(n)),
    )


def find_run(runs: Sequence[RunRecord], run_id: str) -> RunRecord:
    """Return the run whose identity begins with `run_id`.

    Raises
    ------
    InputError
        Where there is none, or more than one.
    """
    found = [run for run in runs if run.run_id.startswith(run_id)] if run_id else []
    if len(found) != 1:
        shown = ", ".join(run.run_id for run in (found or runs)[-5:]) or "none was recorded yet"
        raise InputError(
            argument="run",
            came=run_id,
            allowed="one run of the ledger" + (f", not {len(found)}" if found else ""),
            try_instead=f"forecasting ledger runs ({shown})",
        )
    return found[0]


def _refuse_other_versions(run: RunRecord, code: str) -> None:
    """Refuse to compute with other code than then: another result would prove nothing."""
    from importlib.metadata import version

    other = [
        f"{name} {version(name)} instead of {then}" for name, then in run.libraries.items() if version(name) != then
    ]
    if run.code_version != code:
        other.insert(0, f"code {code} instead of {run.code_version}")
    if other:
        raise InputError(
            argument="run",
            came="; ".join(other),
            allowed="the versions of the run, so that its bytes come out again",
            try_instead="install those versions, or --force to compare all the same",
        )


def _settings(run: RunRecord) -> Settings:
    """Return the settings of a run from its row."""
    found = Settings()
    for field in fields(Settings):
        if field.name not in run.settings:
            continue
        value: object = run.settings[field.name]
        default = getattr(found, field.name)
        if isinstance(default, timedelta):
            value = timedelta(seconds=float(str(value)))
        elif isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        found = replace(found, **{field.name: value})  # type: ignore[arg-type]
    return found


def export_rows(entries: Sequence[LedgerEntry]) -> str:
    """Return ledger rows as JSON lines with their hashes, for an auditor.

    Examples
    --------
    >>> from datetime import UTC
    >>> row = LedgerEntry(sequence=1, kind="run", key="r", version=1, as_of=datetime(2027, 3, 1, tzinfo=UTC),
    ...                   run_id="r", payload={"seed": 7}, sha256="0" * 64)
    >>> json.loads(export_rows([row]))["payload"]
    {'seed': 7}
    """
    return "".join(
        json.dumps(plain(entry), sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n" for entry in entries
    )

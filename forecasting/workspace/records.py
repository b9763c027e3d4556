"""What a run writes into the ledger: attainments with their stage, credits, risks, choices, proposals, warnings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from forecasting.adapters._plain import plain
from forecasting.adapters._sql_ledger import canonical_json
from forecasting.ports import Ledger, LedgerEntry, MetricStore
from forecasting.service_levels.restatement import Origin, change_reasons, facts_differ, ledger_row, next_stage
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import ForecastingError, LedgerMovedError
from forecasting.terms.indicator import CompositeIndicator, metrics_of
from forecasting.terms.restatement import Restatement, Stage
from forecasting.terms.service_level import Attainment, Objective, Period

if TYPE_CHECKING:
    from forecasting.terms.breach import BreachRisk
    from forecasting.terms.credit import CreditLine
    from forecasting.terms.plan import Plan

Row = tuple[str, Mapping[str, object]]
"""Key and payload of a row of the ledger."""

_MOST_DECISIONS = 100
"""How often a run decides what to record while others record the same windows; each time, others have got on."""


KINDS = ("attainment", "credit", "risk", "model_choice", "proposal", "warning", "run", "alarm", "alarm_outcome")
"""Kinds of rows that runs write; the last two are of `watch` and of people's answers."""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Rows of attainment that the ledger does not have yet."""

    rows: tuple[tuple[str, Mapping[str, object]], ...]
    restatements: tuple[Restatement, ...]


def attainment_key(service: str, agreement: str | None, objective: str, label: str) -> str:
    """Return the identity of a window in the ledger.

    Examples
    --------
    >>> attainment_key("shop", None, "kept", "2027-03")
    'shop/-/kept/2027-03'
    """
    return "/".join((service, agreement or "-", objective, label))


def latest(entries: Sequence[LedgerEntry]) -> dict[str, LedgerEntry]:
    """Return the last version of each key."""
    return {entry.key: entry for entry in entries}


def pending_attainments(
    judged: Sequence[tuple[Objective, Sequence[Attainment]]],
    *,
    recorded: Mapping[str, LedgerEntry],
    metrics: MetricStore,
    catalogue: Catalogue,
    batch: int,
    catalogue_version: str,
    code_version: str,
    as_of: datetime,
    reason: str = "",
) -> Pending:
    """Return what has to be appended so that the ledger says what was computed now.

    A row that the ledger has from a run with a later cut-off, or of a later batch, is left alone: that run knew more.

    Parameters
    ----------
    judged : sequence of (Objective, attainments)
        Closed windows are looked at; a running one has nothing to record.
    recorded : mapping of str to LedgerEntry
        Latest version by key.
    metrics : MetricStore
        Asked for the rows that came since, where a final value changed.
    catalogue : Catalogue
    batch : int
        Last batch that was read.
    catalogue_version, code_version : str
    as_of : datetime
    reason : str
        Why, as a person says it.
    """
    rows: list[tuple[str, Mapping[str, object]]] = []
    restatements: list[Restatement] = []
    for objective, attainments in judged:
        definition = definition_of(objective)
        for a in attainments:
            if not (a.final or a.provisional):
                continue
            key = attainment_key(a.service, a.agreement, a.objective, a.period.label)
            entry = recorded.get(key)
            if entry is not None and (entry.as_of > as_of or _batch_of(entry) > batch):
                continue
            origin = Origin(
                batch=batch,
                catalogue_version=catalogue_version,
                code_version=code_version,
                definition=definition,
                watermark=None if a.watermark is None else a.watermark.isoformat(),
            )
            row = ledger_row(a, origin, stage=Stage.FINAL, reason="")
            before = None if entry is None else entry.payload
            stage = next_stage(before, row, provisional=a.provisional)
            if stage is None:
                continue
            why = "" if entry is not None else reason
            if entry is not None and facts_differ(entry.payload, row):
                late = _late_rows(metrics, catalogue, objective, a.period, entry.payload, batch)
                why = change_reasons(entry.payload, row, late=late, said=reason)
            row = ledger_row(a, origin, stage=stage, reason=why)
            rows.append((key, row))
            if stage is Stage.RESTATED and entry is not None:
                restatements.append(_restatement(entry.payload, row, version=entry.version + 1, as_of=as_of))
    return Pending(rows=tuple(rows), restatements=tuple(restatements))


def known_restatements(entries: Sequence[LedgerEntry]) -> tuple[Restatement, ...]:
    """Return the restatements in the ledger's attainment rows, oldest first."""
    before: dict[str, LedgerEntry] = {}
    found = []
    for entry in entries:
        if entry.payload.get("stage") == Stage.RESTATED.value and entry.key in before:
            found.append(
                _restatement(before[entry.key].payload, entry.payload, version=entry.version, as_of=entry.as_of)
            )
        before[entry.key] = entry
    return tuple(found)


def definition_of(objective: Objective) -> str:
    """Return the sha256 of an objective as the catalogue states it."""
    found = plain(objective)
    assert isinstance(found, dict), "an objective is a dataclass"
    for name in ("display_name", "description", "alert_policies"):
        found.pop(name, None)  # words and who is told do not change what was promised
    return hashlib.sha256(canonical_json(found, argument=objective.name).encode()).hexdigest()


def _batch_of(entry: LedgerEntry) -> int:
    """Return the last batch that a recorded attainment was computed from; 0 where the row does not say."""
    found = entry.payload.get("batch")
    return found if isinstance(found, int) else 0


def _restatement(before: Mapping[str, Any], after: Mapping[str, Any], *, version: int, as_of: datetime) -> Restatement:
    return Restatement(
        service=str(after["service"]),
        agreement=None if after["agreement"] is None else str(after["agreement"]),
        objective=str(after["objective"]),
        period=str(after["window"][2]),
        version=version,
        as_of=as_of,
        value_before=_decimal(before.get("value")),
        value_after=_decimal(after.get("value")),
        status_before=str(before.get("status")),
        status_after=str(after.get("status")),
        reason=str(after.get("reason", "")),
    )


def _decimal(text: object) -> Decimal | None:
    return None if text is None else Decimal(str(text))


def _late_rows(
    metrics: MetricStore,
    catalogue: Catalogue,
    objective: Objective,
    period: Period,
    recorded: Mapping[str, Any],
    batch: int,
) -> list[tuple[str, int]]:
    """Return how many rows of a window came or changed between the recorded batch and this one, by metric."""
    since = recorded.get("batch")
    if not isinstance(since, int) or since >= batch:
        return []
    parts = [objective]
    if isinstance(objective.indicator, CompositeIndicator):
        by_name = {o.name: o for _, o in catalogue.all_objectives()}
        parts = [by_name[c.objective] for c in objective.indicator.components if c.objective in by_name]
    found = []
    start, end = (at.astimezone(UTC).replace(tzinfo=None) for at in (period.start, period.end))
    for part in parts:
        names = metrics_of(part.indicator)
        if not names:
            old, new = (
                {tuple(map(str, row)) for row in t[t["service"] == part.service].itertuples(index=False)}
                for t in (metrics.read_tickets(batch=b) for b in (since, batch))
            )
            found.append(("tickets", len(new - old)))
            continue
        frames = [
            metrics.read(until=period.end, services=[part.service], metrics=list(names), batch=b)
            for b in (since, batch)
        ]
        for name in names:
            then, now = (
                f[(f["metric"] == name) & (f["at"] >= start) & (f["at"] < end)].set_index("at")["value"] for f in frames
            )
            changed = int((now != then.reindex(now.index)).sum())
            if changed:
                found.append((f"{name} of {part.service}", changed))
    return [(name, count) for name, count in found if count]


# ---------------------------------------------------------------------- the other kinds of a run
def record_decided(
    ledger: Ledger, kind: str, decide: Callable[[int], Sequence[Row]], *, as_of: datetime, run_id: str
) -> int:
    """Append what `decide` says of the ledger as it stands up to a row; decided again where others were quicker.

    Without this, two runs that read the ledger at the same time would both record the same window.
    """
    for _ in range(_MOST_DECISIONS):
        head = ledger.head()[0]
        try:
            return ledger.record(kind, decide(head), as_of=as_of, run_id=run_id, decided_at=head)
        except LedgerMovedError as error:
            moved = error
    raise moved


def record_run(ledger: Ledger, plan: Plan, attainments: Callable[[int], Sequence[Row]]) -> int:
    """Append what a plan says; what the ledger has already is not repeated. Return the rows added.

    Parameters
    ----------
    ledger : Ledger
    plan : Plan
    attainments : callable
        Returns the attainments to append to the ledger as it stands up to a row.
    """
    run = plan.manifest.run_id
    added = record_decided(ledger, "attainment", attainments, as_of=plan.as_of, run_id=run)
    added += record_decided(
        ledger, "credit", lambda head: credit_rows(ledger, plan.credits, as_of=plan.as_of, until=head),
        as_of=plan.as_of, run_id=run,
    )  # fmt: skip
    risks = [
        (attainment_key(r.service, r.agreement, r.objective, r.period.label), risk_row(r))
        for s in plan.services
        for o in s.objectives
        for r in o.risks
    ]
    choices = [(f"{s.service.name}", as_row(s.choice)) for s in plan.services if s.choice]
    for kind, rows in (
        ("risk", risks),
        ("model_choice", choices),
        ("proposal", [(p.id, as_row(p)) for p in plan.proposals]),
        ("warning", [(w.id, as_row(w)) for w in plan.warnings]),
    ):
        added += ledger.record(kind, rows, as_of=plan.as_of, run_id=run)
    return added


def credit_key(line: CreditLine) -> str:
    """Return the identity of a credit in the ledger."""
    # Of a joint credit the worst objective can be another one after a restatement: it is still the same credit.
    return "/".join((line.agreement, "all" if line.joint else line.objective, line.period.label))


def credit_rows(ledger: Ledger, lines: Sequence[CreditLine], *, as_of: datetime, until: int) -> list[Row]:
    """Return the credits to add to the ledger up to a row; one that a run with a later cut-off recorded is left."""
    recorded = latest(ledger.entries("credit", until=until)) if lines else {}
    return [
        (key, as_row(line))
        for line in lines
        if (entry := recorded.get(key := credit_key(line))) is None or entry.as_of <= as_of
    ]


def as_row(record: object) -> dict[str, object]:
    """Return a frozen dataclass as plain JSON values."""
    found = plain(record)
    if not isinstance(found, dict):
        raise ForecastingError(
            argument="record", came=type(record).__name__, allowed="a dataclass", try_instead="a terms class"
        )
    return found


def risk_row(risk: BreachRisk) -> dict[str, object]:
    """Return a risk without its paths, which the seed reproduces."""
    kept = (f.name for f in fields(risk) if f.name not in {"attainment_paths", "cost_paths"})
    return {name: plain(getattr(risk, name)) for name in kept}

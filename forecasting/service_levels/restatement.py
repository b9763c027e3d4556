"""From an attainment to its row in the ledger: what is a fact, what is only circumstance, and what a change means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forecasting.terms.errors import InputError
from forecasting.terms.restatement import Stage
from forecasting.terms.service_level import Attainment

FACTS = (
    "good", "total", "unit", "method", "known_slices", "elapsed_slices", "planned_slices", "excluded_slices",
    "value", "lower", "upper", "status", "target", "definition",
)  # fmt: skip
"""Keys of a row that are what was delivered and against what; a change of one of them is a new version."""

CIRCUMSTANCES = ("stage", "reason", "watermark", "batch", "catalogue_version", "code_version", "window", "coverage")
"""Keys that say how the facts came about."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What an attainment was computed from."""

    batch: int
    """Last batch of the metric store that was read."""
    catalogue_version: str
    code_version: str
    definition: str
    """sha256 over the objective as the catalogue states it: target, indicator, window, service time."""
    watermark: str | None
    """UTC end of the last slice observed in the window; None where nothing was observed."""


def ledger_row(attainment: Attainment, origin: Origin, *, stage: Stage, reason: str) -> dict[str, object]:
    """Return the row of a closed window as plain JSON values.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import AttainmentStatus, Period
    >>> day = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 3, 2, tzinfo=UTC), label="2027-03-01")
    >>> a = Attainment(service="shop", agreement=None, objective="kept", period=day, target=Decimal("0.9"), good=9,
    ...     total=10, known_slices=24, elapsed_slices=24, planned_slices=24, value=Decimal("0.9"),
    ...     lower=Decimal("0.9"), upper=Decimal("0.9"), status=AttainmentStatus.MET, as_of=day.end, final=True)
    >>> origin = Origin(batch=1, catalogue_version="c", code_version="v", definition="d", watermark=None)
    >>> row = ledger_row(a, origin, stage=Stage.FINAL, reason="")
    >>> row["value"], row["status"], row["stage"]
    ('0.9', 'met', 'final')
    """
    a = attainment
    return {
        "service": a.service,
        "agreement": a.agreement,
        "objective": a.objective,
        "window": [a.period.start.isoformat(), a.period.end.isoformat(), a.period.label],
        "good": a.good,
        "total": a.total,
        "unit": a.unit,
        "method": a.method.value,
        "known_slices": a.known_slices,
        "elapsed_slices": a.elapsed_slices,
        "planned_slices": a.planned_slices,
        "excluded_slices": a.excluded_slices,
        "value": None if a.value is None else str(a.value),
        "lower": None if a.lower is None else str(a.lower),
        "upper": None if a.upper is None else str(a.upper),
        "coverage": f"{a.known_slices}/{a.elapsed_slices}",
        "status": a.status.value,
        "target": str(a.target),
        "definition": origin.definition,
        "stage": stage.value,
        "reason": reason,
        "watermark": origin.watermark,
        "batch": origin.batch,
        "catalogue_version": origin.catalogue_version,
        "code_version": origin.code_version,
    }


def next_stage(recorded: Mapping[str, object] | None, row: Mapping[str, object], *, provisional: bool) -> Stage | None:
    """Return the stage a row enters the ledger with, or None where the ledger says the same already.

    Parameters
    ----------
    recorded : mapping or None
        The latest version in the ledger; None where there is none.
    row : mapping
        What was computed now (see `ledger_row`; its stage and reason are not looked at).
    provisional : bool
        Whether late data are still taken.

    Examples
    --------
    >>> facts = dict.fromkeys(FACTS, 1)
    >>> next_stage(None, facts, provisional=True), next_stage({**facts, "stage": "final"}, facts, provisional=False)
    (<Stage.PROVISIONAL: 'provisional'>, None)
    >>> next_stage({**facts, "stage": "final"}, {**facts, "good": 2}, provisional=False)
    <Stage.RESTATED: 'restated'>
    """
    fresh = Stage.PROVISIONAL if provisional else Stage.FINAL
    if recorded is None:
        return fresh
    stage = _stage(recorded)
    if facts_differ(recorded, row):
        # What was final once stays on record: whatever replaces it is a restatement, grace or not.
        return fresh if stage is Stage.PROVISIONAL else Stage.RESTATED
    return Stage.FINAL if stage is Stage.PROVISIONAL and not provisional else None


def facts_differ(recorded: Mapping[str, object], row: Mapping[str, object]) -> bool:
    """Say whether a row states other facts than the recorded one, whatever the circumstances.

    Examples
    --------
    >>> facts_differ({"good": 1, "batch": 1}, {"good": 1, "batch": 2}), facts_differ({"good": 1}, {"good": 2})
    (False, True)
    """
    return any(recorded.get(key) != row.get(key) for key in FACTS)


def _stage(recorded: Mapping[str, object]) -> Stage:
    """Return the stage of a recorded row; rows of before there were stages were final."""
    found = str(recorded.get("stage", Stage.FINAL.value))
    if found not in {s.value for s in Stage}:
        raise InputError(
            argument="ledger",
            came=found,
            allowed=", ".join(s.value for s in Stage),
            try_instead="forecasting doctor; restore a backup if the ledger is damaged",
        )
    return Stage(found)


def change_reasons(
    recorded: Mapping[str, object], row: Mapping[str, object], *, late: Sequence[tuple[str, int]], said: str = ""
) -> str:
    """Say why a recorded attainment changed, from what differs.

    Parameters
    ----------
    recorded, row : mapping
        The latest version in the ledger, and what was computed now.
    late : sequence of (metric, rows)
        Rows of the window that came or changed since the recorded version, by metric.
    said : str
        A reason given by a person; it comes first.

    Examples
    --------
    >>> change_reasons({"definition": "a"}, {"definition": "b"}, late=[("orders", 3)], said="audit finding 7")
    'audit finding 7; the objective was changed in the catalogue; late data: 3 rows of orders'
    """
    reasons = [said] if said else []
    if recorded.get("definition") != row.get("definition"):
        reasons.append("the objective was changed in the catalogue")
    if late:
        reasons.append(
            "late data: " + ", ".join(f"{rows} row{'' if rows == 1 else 's'} of {name}" for name, rows in late)
        )
    if not reasons and recorded.get("code_version") != row.get("code_version"):
        reasons.append(f"computed by version {row.get('code_version')} instead of {recorded.get('code_version')}")
    return "; ".join(reasons) or "recomputed on the same data with another result: look into it"

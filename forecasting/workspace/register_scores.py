"""What the ledger says of past proposals: the facts of their windows, and the scores made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from forecasting.proposals.outcome import outcome_of, score_proposal, score_register
from forecasting.service_levels.breach.risk import _LOSS_UNITS
from forecasting.terms.agreement import Agreement
from forecasting.terms.credit import ClaimStatus
from forecasting.terms.proposal import Outcome, Proposal
from forecasting.terms.register import ProposalScore, RegisterEntry, RegisterScore, WindowFact
from forecasting.terms.restatement import Stage
from forecasting.terms.service_level import AttainmentStatus, Period
from forecasting.workspace.records import attainment_key
from forecasting.workspace.register import proposal_of, stored_entries

if TYPE_CHECKING:
    from forecasting.ports import Ledger
    from forecasting.workspace.workspace import Workspace

Promise = tuple[str, str | None, str | None]
"""Service, agreement and objective of a proposal."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What the ledger knows of windows."""

    attainments: Mapping[str, Mapping[str, Any]]
    """Latest row of each window by its key."""
    credits: Mapping[str, Mapping[str, Any]]
    risks: Mapping[tuple[Promise, datetime], Mapping[str, Mapping[str, Any]]]
    """Rows by promise and cut-off of the run, by label of the window."""


def recorded(ledger: Ledger, *, as_of: datetime | None = None) -> Recorded:
    """Return what the ledger knows of windows, of runs up to a cut-off."""
    risks: dict[tuple[Promise, datetime], dict[str, Mapping[str, Any]]] = {}
    for entry in ledger.entries("risk", as_of=as_of):
        row: Mapping[str, Any] = entry.payload
        promise = (str(row["service"]), row["agreement"], row["objective"])
        risks.setdefault((promise, entry.as_of), {})[str(row["period"]["label"])] = row
    return Recorded(
        attainments={e.key: e.payload for e in ledger.newest("attainment", as_of=as_of)},
        credits={e.key: e.payload for e in ledger.newest("credit", as_of=as_of)},
        risks=risks,
    )


def score_past(space: Workspace, as_of: str | date | datetime | None = None) -> RegisterScore:
    """Return how good the proposals of past runs were, from what the ledger has of their windows.

    Parameters
    ----------
    space : Workspace
    as_of : str, date, datetime or None
        Rows of runs with a later cut-off are left out; None = all.
    """
    instant = None if as_of is None else space.instant(as_of)
    known = recorded(space.ledger, as_of=instant)
    entries = stored_entries(space.ledger, as_of=instant)
    statements: dict[tuple[str, datetime], Proposal] = {}
    for row in space.ledger.entries("proposal", as_of=instant):
        statements[row.key, row.as_of] = proposal_of(row.payload)
    scores = []
    for (key, at), proposal in statements.items():
        one = proposal if proposal.data_cut_off else replace(proposal, data_cut_off=at)
        scores.append(_score(space, known, one, entries.get(key)))
    decided = {key: e.proposal.data_cut_off for key, e in entries.items() if e.proposal.decision}
    return score_register(scores, {key: at for key, at in decided.items() if at is not None})


def measure(
    space: Workspace,
    entry: RegisterEntry,
    *,
    by: str,
    at: datetime,
    cost: float | None,
    note: str,
    as_of: str | date | datetime | None = None,
) -> Outcome:
    """Return what the windows since a proposal was implemented came to; refused later where there are none."""
    known = recorded(space.ledger, as_of=None if as_of is None else space.instant(as_of))
    p = entry.proposal
    zone = _zone(space, p)
    head = f"{attainment_key(p.service, p.agreement, p.objective or '', '')}"
    facts = []
    for key, row in known.attainments.items():
        if p.objective and key.startswith(head):
            facts.append(_fact(space, known, p, _period(row["window"])))
    closed = sorted((f for f in facts if f is not None), key=lambda f: f.period)
    days = [
        (f.period.start.astimezone(zone).date(), (f.period.end - timedelta(microseconds=1)).astimezone(zone).date())
        for f in closed
    ]
    regret = _score(space, known, p, entry).regret if p.data_cut_off else None
    return outcome_of(entry, closed, local_days=days, by=by, at=at, cost=cost, note=note, regret=regret)


def _score(space: Workspace, known: Recorded, proposal: Proposal, entry: RegisterEntry | None) -> ProposalScore:
    """Return the score of one statement."""
    zone = _zone(space, proposal)
    periods = {proposal.period} if proposal.period else set()
    periods |= {_risk_period(row) for row in _risks_of(known, proposal).values()}
    windows = [_fact(space, known, proposal, period) for period in sorted(periods)]
    return score_proposal(proposal, windows, entry, day_of=lambda instant: instant.astimezone(zone).date())


def _risks_of(known: Recorded, proposal: Proposal) -> Mapping[str, Mapping[str, Any]]:
    at = proposal.data_cut_off
    promise = (proposal.service, proposal.agreement, proposal.objective)
    return {} if at is None else known.risks.get((promise, at.astimezone(UTC)), {})


def _fact(space: Workspace, known: Recorded, proposal: Proposal, period: Period) -> WindowFact | None:
    """Return what came of a window; None where it is not recorded as closed and final."""
    key = attainment_key(proposal.service, proposal.agreement, proposal.objective or "", period.label)
    row = known.attainments.get(key)
    if row is None or row.get("stage") == Stage.PROVISIONAL.value:
        return None
    status = AttainmentStatus(row["status"])
    judged = status in (AttainmentStatus.MET, AttainmentStatus.BREACHED)
    missed = status is AttainmentStatus.BREACHED if judged else None
    agreement = next((a for a in space.catalogue.agreements if a.id == proposal.agreement), None)
    stated = _risks_of(known, proposal).get(period.label)
    return WindowFact(
        period=period,
        missed=missed,
        attainment=None if row.get("value") is None else float(row["value"]),
        credit=_credit(known, proposal, period, missed, agreement),
        loss=_loss(proposal, row, missed, agreement),
        final=True,
        stated_cost=None if stated is None else float(stated["expected_credit"]) + float(stated["expected_loss"]),
    )


def _credit(
    known: Recorded, proposal: Proposal, period: Period, missed: bool | None, agreement: Agreement | None
) -> Decimal | None:
    """Return the credit of a window from the statement in the ledger; None where it is not known."""
    if proposal.agreement is None or (agreement is not None and agreement.credits is None):
        return Decimal(0)
    own = known.credits.get("/".join((proposal.agreement, proposal.objective or "", period.label)))
    joint = known.credits.get("/".join((proposal.agreement, "all", period.label)))
    line = own or joint
    if line is None:
        return None if missed is not False else Decimal(0)
    if line.get("claim") == ClaimStatus.UNDETERMINED.value:
        return None
    # One credit for all objectives of a window is that of the worst one.
    return Decimal(str(line["due"])) if own or line.get("objective") == proposal.objective else Decimal(0)


def _loss(
    proposal: Proposal, row: Mapping[str, Any], missed: bool | None, agreement: Agreement | None
) -> Decimal | None:
    """Return the business loss of a window by the rule of the risks: bad events beyond the budget × loss per event."""
    if proposal.agreement is None:
        return Decimal(0)
    if agreement is None or missed is None:
        return None
    good, total = int(row["good"]), int(row["total"])
    beyond = max(Decimal(0), (total - good) - (1 - Decimal(row["target"])) * total)
    return beyond / Decimal(_LOSS_UNITS.get(str(row["unit"]), 1.0)) * agreement.loss_per_bad_event


def _zone(space: Workspace, proposal: Proposal) -> ZoneInfo:
    """Return the zone of an objective's windows; the project's where it is not in the catalogue any more."""
    for agreement, objective in space.catalogue.all_objectives():
        if objective.name == proposal.objective and (agreement.id if agreement else None) == proposal.agreement:
            return ZoneInfo(objective.window.zone)
    return ZoneInfo(space.project.zone)


def _period(window: Any) -> Period:
    start, end, label = window
    return Period(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end), label=str(label))


def _risk_period(row: Mapping[str, Any]) -> Period:
    p = row["period"]
    return _period((p["start"], p["end"], p["label"]))

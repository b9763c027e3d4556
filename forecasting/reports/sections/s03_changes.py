"""Section 3: what changed in the record: final attainments that were restated."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Column, Paragraph, table
from forecasting.reports.facts import objective_names, service_names
from forecasting.reports.formatting import instant, name, number, plural, share, text
from forecasting.terms.plan import Plan
from forecasting.terms.restatement import Restatement


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Section 3."""

    number: int = 3
    title: str = "What changed in the record"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return the restatements of the last year, with before, after and reason."""
        found = plan.restatements
        if not found:
            none = "No final attainment was restated in the last year, because no later data or correction changed one."
            return (Paragraph(text=none),)
        turned = sum(r.turned for r in found)
        words = (
            f"Restated in the last year: {plural(len(found), 'final attainment')}; "
            f"{turned or 'none'} changed the verdict. Every earlier version is kept in the ledger."
        )
        names, objectives = service_names(plan), objective_names(plan)
        columns = (
            Column(name="Service and objective"),
            Column(name="Window"),
            Column(name="Before", align="right"),
            Column(name="After", align="right"),
            Column(name="Verdict"),
            Column(name="Version", align="right"),
            Column(name="Restated with data up to"),
            Column(name="Reason"),
        )
        rows = [
            (
                text(f"{names.get(r.service, name(r.service))}: {_objective(r, objectives)}"),
                text(r.period),
                share(r.value_before),
                share(r.value_after),
                text(
                    f"{r.status_before} → {r.status_after}" if r.turned else r.status_after,
                    "bad" if r.turned and r.status_after == "breached" else "plain",
                ),
                number(r.version),
                instant(r.as_of),
                text(r.reason),
            )
            for r in found
        ]
        return Paragraph(text=words, tone="attention" if turned else "plain"), table("Restatements", columns, rows)


def _objective(restated: Restatement, objectives: dict[tuple[str, str], str]) -> str:
    """Return the display name of an objective; one that is no longer in the catalogue keeps its own."""
    return objectives.get((restated.service, restated.objective), name(restated.objective))

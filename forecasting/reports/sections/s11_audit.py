"""Section 11: the audit of the catalogue, promise by promise."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Column, Details, Paragraph, table
from forecasting.reports.formatting import plural, text
from forecasting.terms.audit import CatalogueFinding
from forecasting.terms.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Section 11."""

    number: int = 11
    title: str = "Audit of the promises"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return the gaps as a table, and the hints folded away."""
        gaps = [f for f in plan.findings if f.severity == "gap"]
        hints = [f for f in plan.findings if f.severity == "hint"]
        if not plan.findings:
            none = "The audit found nothing, because every promise has what a promise needs by its rules."
            return (Paragraph(text=none),)
        words = (
            f"{plural(len(gaps), 'gap')}: promises that cannot be kept or judged as they stand. "
            f"{plural(len(hints), 'hint')}: what a complete catalogue would say."
        )
        blocks: list[Block] = [Paragraph(text=words, tone="attention" if gaps else "plain")]
        if gaps:
            blocks.append(_table("Gaps", gaps))
        if hints:
            blocks.append(Details(summary=plural(len(hints), "hint"), blocks=(_table("Hints", hints),)))
        return tuple(blocks)


def _table(title: str, findings: list[CatalogueFinding]) -> Block:
    columns = (
        Column(name="What"),
        Column(name="Finding"),
        Column(name="Evidence"),
        Column(name="To do"),
        Column(name="Rule"),
    )
    rows = [(text(f.subject), text(f.message), text(f.evidence), text(f.try_instead), text(f.rule)) for f in findings]
    return table(title, columns, rows)

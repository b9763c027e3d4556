"""Section 12: service credits, ours to pay and ours to claim, to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from forecasting.reports.base import Block, Column, Details, KeyFigure, KeyFigures, Paragraph, table
from forecasting.reports.formatting import day, exact_money, name, plural, share, text
from forecasting.terms.credit import ClaimStatus, CreditLine
from forecasting.terms.plan import Plan

_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class CreditsDue:
    """Section 12."""

    number: int = 12
    title: str = "Credits due and to claim"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return the totals, what suppliers owe us with the last day to claim, and every line with its arithmetic."""
        if not plan.credits:
            return (Paragraph(text="No credit can fall due, because no agreement with credits has a closed window."),)
        count = [line for line in plan.credits if line.due or line.high]
        items: list[KeyFigure] = []
        for currency in sorted({line.currency for line in plan.credits}):
            own = [line for line in plan.credits if line.currency == currency]
            claimable = [x for x in own if x.receivable and x.claim is ClaimStatus.CLAIMABLE]
            lapsed = [x for x in own if x.receivable and x.claim is ClaimStatus.LAPSED]
            items += [
                KeyFigure(
                    label="We owe",
                    cell=exact_money(_sum(x for x in own if not x.receivable), currency),
                    note="credits of all closed windows",
                ),
                KeyFigure(
                    label="To claim", cell=exact_money(_sum(claimable), currency), note="from suppliers, in time"
                ),
                KeyFigure(label="Lapsed", cell=exact_money(_sum(lapsed), currency), note="not claimed in time"),
            ]
        words = (
            f"{plural(len(plan.credits), 'closed window')} of agreements with credits, {len(count)} of them with a "
            "credit due or possible. Amounts are exact; they are what the agreement's text makes of the attainment."
        )
        blocks: list[Block] = [KeyFigures(items=tuple(items)), Paragraph(text=words)]
        claims = [x for x in count if x.receivable and x.claim in (ClaimStatus.CLAIMABLE, ClaimStatus.PROVISIONAL)]
        if claims:
            blocks.append(_table("To claim, most urgent first", sorted(claims, key=lambda x: str(x.claim_by))))
        ending = [line for line in plan.credits if line.termination_right][-1:]
        for line in ending:
            blocks.append(
                Paragraph(
                    text=f"{name(line.paid_to)} may end {name(line.agreement)}: so many misses give that right.",
                    tone="attention",
                )
            )
        if count:
            latest = sorted(count, key=lambda x: (x.period.end, x.agreement, x.objective), reverse=True)[:_SHOWN]
            more = f", the latest {_SHOWN} of {len(count)}" if len(count) > _SHOWN else ""
            blocks.append(
                Details(summary=f"Every credit with its arithmetic{more}", blocks=(_table("Credits", latest),))
            )
        return tuple(blocks)


def _sum(lines: Iterable[CreditLine]) -> Decimal:
    return sum((line.due for line in lines), Decimal(0))


def _table(title: str, lines: Sequence[CreditLine]) -> Block:
    columns = (
        Column(name="Agreement"),
        Column(name="Window"),
        Column(name="Attainment", align="right"),
        Column(name="Due", align="right"),
        Column(name="Paid by"),
        Column(name="Standing"),
        Column(name="Claim by"),
        Column(name="Arithmetic"),
    )
    rows = [
        (
            text(line.agreement),
            text(line.period.label),
            share(line.attainment),
            exact_money(line.due, line.currency),
            text(line.paid_by),
            text(line.claim.value, "attention" if line.claim is ClaimStatus.CLAIMABLE else "plain"),
            day(line.claim_by, because="no claim is needed"),
            text(line.explanation),
        )
        for line in lines
    ]
    return table(title, columns, rows)

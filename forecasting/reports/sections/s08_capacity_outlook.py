"""Section 8: each resource: use, headroom, when it runs out and when to order."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Bullets, Cell, Column, Details, Paragraph, table
from forecasting.reports.charts import headroom_chart
from forecasting.reports.facts import date_range, exhausted_cell, key, order_cell
from forecasting.reports.formatting import day, excuse_sentence, missing, name, number, percent, share, text
from forecasting.terms.capacity import Requirement
from forecasting.terms.plan import Plan


@dataclass(frozen=True, kw_only=True)
class CapacityOutlook:
    """Section 8."""

    number: int = 8
    title: str = "Capacity outlook"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return the table of resources, one part each, and those that could not be assessed."""
        blocks: list[Block] = []
        if plan.requirements:
            ranked = sorted(plan.requirements, key=lambda r: (-r.probability_exhausted, r.resource))
            blocks.append(_summary(ranked, plan))
            blocks.extend(_resource(i, r, plan) for i, r in enumerate(ranked, start=1))
        if plan.capacity_excuses:
            items = tuple(f"{name(resource)}: {excuse_sentence(excuse)}" for resource, excuse in plan.capacity_excuses)
            blocks.append(Bullets(title="Not assessed", items=items))
        if not blocks:
            blocks.append(Paragraph(text="No resource is reported, because the catalogue declares none."))
        return tuple(blocks)


def _summary(requirements: list[Requirement], plan: Plan) -> Block:
    """Return one line per resource."""
    columns = (
        Column(name="Resource"),
        Column(name="Usable limit", align="right"),
        Column(name="Peak use now", align="right"),
        Column(name="Peak use, 50–90 %", align="right"),
        Column(name="Headroom at the peak", align="right"),
        Column(name="P(exhausted)", align="right"),
        Column(name="Limit passed (10 / 50 / 90 % of paths)"),
        Column(name="Order by"),
    )
    rows = [
        (
            text(name(r.resource)),
            number(r.usable_units, r.unit),
            number(r.use_now),
            Cell(
                text=f"{number(r.use_p50).text}–{number(r.use_p90).text}",
                value=r.use_p50,
                low=r.use_p50,
                high=r.use_p90,
            ),
            Cell(text=number(r.headroom_end).text, value=r.headroom_end, tone="bad" if r.headroom_end < 0 else "plain"),
            exhausted_cell(r),
            date_range(r),
            order_cell(r, plan),
        )
        for r in requirements
    ]
    note = "Use and headroom in the unit of the usable limit. Order by: need-by date less the lead time."
    return table("All resources", columns, rows, note=note)


def _resource(index: int, r: Requirement, plan: Plan) -> Block:
    """Return the part of one resource."""
    blocks: list[Block] = []
    figure = headroom_chart(key("headroom", index), r)
    if figure is None:
        blocks.append(Paragraph(text="There is no chart of use, because no daily use was computed.", tone="muted"))
    else:
        blocks.append(figure)
    none = "the capacity model gives no service level"
    nothing = "nothing is needed within the horizon"
    rows = [
        ("Service", text(name(r.service))),
        ("Capacity model", text(r.model)),
        ("Units in place", number(r.units_now, r.unit)),
        ("Units needed for the median peak", number(r.required_p50, r.unit)),
        ("Units enough with P = 90 %", number(r.required_p90, r.unit)),
        ("Headroom now", number(r.headroom_now, r.unit)),
        ("Growth carried by the usable limit", Cell(text=f"× {r.supported_growth:.2f}", value=r.supported_growth)),
        ("Need by", day(r.need_by, because=nothing)),
        ("Order by", order_cell(r, plan)),
        ("Service level at today's peak", share(r.service_level_now, because=none)),
        ("Service level at the 90 % demand", share(r.service_level_p90, because=none)),
        ("Check by another method", text(r.check) if r.check else missing("no second method applies")),
    ]
    columns = (Column(name="Item"), Column(name="Value"))
    blocks.append(table(f"Facts of {name(r.resource)}", columns, [(text(a), b) for a, b in rows], sortable=False))
    if r.assumptions:
        blocks.append(Bullets(title="Assumptions", items=r.assumptions))
    says = f"P(exhausted) {percent(r.probability_exhausted)}; order by: {order_cell(r, plan).text}"
    return Details(summary=f"{name(r.resource)}: {says}", blocks=tuple(blocks))
